// What a process tells of itself, under the names that Prometheus' client libraries use, so that public dashboards for Node fit.
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** Call once a process; `stop` ends the measuring. */
export function observeProcess(metrics: Metrics, version: string): { stop(): void } {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  // The timer's own resolution is no lag.
  const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - 0.01) || 0;
  const one = (name: string, help: string, value: () => number): void =>
    metrics.observed(name, { help, read: () => [[{}, value()]] });

  one('process_start_time_seconds', 'When the process started, in seconds since 1970.', () => startedAt);
  metrics.observed('process_cpu_seconds_total', {
    help: 'Processor time used, user and system, in seconds.',
    kind: 'counter',
    read: () => [[{}, cpuSeconds()]],
  });
  one('process_resident_memory_bytes', 'Memory in use, as the system counts it.', () => process.memoryUsage.rss());
  one('process_open_fds', 'Open file descriptors.', openFiles);
  one('nodejs_heap_size_used_bytes', "JavaScript's heap in use.", () => process.memoryUsage().heapUsed);
  one('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.', () => process.memoryUsage().external);
  metrics.observed('nodejs_eventloop_lag_seconds', {
    help: 'How late the event loop was since the last look, in seconds; by quantile.',
    labels: ['quantile'],
    read: () => {
      const samples = [0.5, 0.99, 1].map(
        (quantile) => [{ quantile: String(quantile) }, lag(delays.percentile(quantile * 100))] as const,
      );
      delays.reset();
      return samples;
    },
  });
  metrics
    .gauge('strata_build_info', { help: 'Always 1; the version is the label.', labels: ['version'] })
    .set({ version }, 1);
  return { stop: () => void delays.disable() };
}

const startedAt = Date.now() / 1000 - process.uptime();

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** 0 where the system has no /proc. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
