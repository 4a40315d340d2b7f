// What NATS says of itself: streams, and how far each consumer is (its monitoring port, through the API server).
import { release } from '../frame/places.ts';
import { kubectl } from './kubectl.ts';

export const natsState = (): Promise<string> => {
  const service = `/api/v1/namespaces/${release.namespace}/services/${release.name}-nats:monitor/proxy`;
  return kubectl(['get', '--raw', `${service}/jsz?streams=true&consumers=true&config=true`]);
};
