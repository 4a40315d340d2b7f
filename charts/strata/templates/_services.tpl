{{/* What only one service has: settings, mounts, volumes; probes; who else decides how many pods there are. */}}

{{/* The service account's suffix: the orchestrator needs its own only where it scales. */}}
{{- define "strata.account" -}}
{{- $account := .service.account | default "" -}}
{{- if and (eq $account "scaler") (not .root.Values.inference.autoscaling.idle.enabled) }}{{ $account = "" }}{{ end -}}
{{ $account }}
{{- end }}

{{- define "strata.isScaled" -}}
{{- if eq .component "inference" }}
{{- with .values.autoscaling }}{{ if or .hpa.enabled .idle.enabled .keda.enabled }}true{{ end }}{{ end }}
{{- end }}
{{- end }}

{{/* Over gRPC while services speak plainly. The kubelet has no certificate to show: under mutual TLS the same is asked of the port of the metrics. */}}
{{- define "strata.probes" -}}
{{- $live := dict "grpc" (dict "port" .service.port) -}}
{{- $ready := dict "grpc" (dict "port" .service.port "service" .service.fullName) -}}
{{- if or .root.Values.tls.enabled (eq .component "gateway") -}}
{{- $live = dict "httpGet" (dict "path" "/healthz" "port" "metrics") -}}
{{- $ready = dict "httpGet" (dict "path" "/readyz" "port" "metrics") -}}
{{- end -}}
startupProbe:
  {{- toYaml $ready | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: {{ div .values.startupSeconds 2 }}
readinessProbe:
  {{- toYaml $ready | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  {{- toYaml $live | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}

{{- define "strata.mounts.jobs" -}}
- { name: jobs, mountPath: /etc/strata/jobs, readOnly: true }
{{- end }}
{{- define "strata.volumes.jobs" -}}
- { name: jobs, configMap: { name: {{ .root.Release.Name }}-jobs } }
{{- end }}

{{- define "strata.env.tokenizer" }}{{ end }}
{{- define "strata.mounts.tokenizer" }}{{ end }}
{{- define "strata.volumes.tokenizer" }}{{ end }}

{{- define "strata.env.dataSampler" }}{{ end }}
{{- define "strata.mounts.dataSampler" }}{{ end }}
{{- define "strata.volumes.dataSampler" }}{{ end }}

{{- define "strata.env.weightLoader" }}{{ end }}
{{- define "strata.mounts.weightLoader" }}{{ end }}
{{- define "strata.volumes.weightLoader" }}{{ end }}

{{- define "strata.env.trainer" -}}
{{ include "strata.env.jobs" . }}
- { name: STRATA_TRAINER_CANCEL_GRACE_MS, value: {{ mul .root.Values.jobs.graceSeconds 1000 | quote }} }
{{- end }}
{{- define "strata.mounts.trainer" }}{{ include "strata.mounts.jobs" . }}{{ end }}
{{- define "strata.volumes.trainer" }}{{ include "strata.volumes.jobs" . }}{{ end }}

{{- define "strata.env.evaluator" }}{{ include "strata.env.jobs" . }}{{ end }}
{{- define "strata.mounts.evaluator" -}}
{{ include "strata.mounts.jobs" . }}
- { name: xla, mountPath: /opt/strata/xla }
{{- end }}
{{- define "strata.volumes.evaluator" -}}
{{ include "strata.volumes.jobs" . }}
- { name: xla, emptyDir: { sizeLimit: 1Gi } }
{{- end }}

{{- define "strata.env.jobs" -}}
- { name: STRATA_JOB_RUNNER, value: kubernetes }
- { name: STRATA_JOB_DEFAULT_PROFILE, value: {{ .root.Values.jobs.defaultProfile }} }
{{- with .root.Values.jobs.kueueQueue }}
- { name: STRATA_KUEUE_QUEUE, value: {{ . }} }
{{- end }}
{{- end }}

{{- define "strata.env.inference" -}}
- { name: STRATA_INFERENCE_MODELS, value: {{ join "," .values.models | quote }} }
- { name: STRATA_INFERENCE_THREADS, value: {{ .values.threads | quote }} }
- { name: STRATA_INFERENCE_MAX_WAITING, value: {{ .values.maxWaiting | quote }} }
- { name: STRATA_INFERENCE_MAX_LOADED_BYTES, value: {{ include "strata.maxLoadedBytes" . | quote }} }
{{- end }}
{{- define "strata.mounts.inference" }}{{ end }}
{{- define "strata.volumes.inference" }}{{ end }}

{{/* As it is said, or three quarters of the memory limit. */}}
{{- define "strata.maxLoadedBytes" -}}
{{- $limit := dig "limits" "memory" "4Gi" .values.resources | toString -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[A-Za-z]*$" $limit -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "inference.resources.limits.memory: %q is no amount of memory" $limit) }}{{ end -}}
{{- $bytes := mulf (trimSuffix $unit $limit | float64) (index $units $unit) 0.75 | int64 -}}
{{- if gt (int64 .values.maxLoadedBytes) 0 }}{{ int64 .values.maxLoadedBytes }}{{ else }}{{ $bytes }}{{ end -}}
{{- end }}

{{- define "strata.env.orchestrator" -}}
- { name: STRATA_ORCHESTRATOR_INBOX_POLL_MS, value: {{ .values.inboxPollMs | quote }} }
{{- if include "strata.notifies" .root }}
- { name: STRATA_ORCHESTRATOR_MINIO_SUBJECT, value: minio.objects }
{{- end }}
- { name: STRATA_ORCHESTRATOR_PIPELINES_FILE, value: /etc/strata/pipelines/pipelines.yaml }
{{- with .root.Values.inference.autoscaling.idle }}
{{- if .enabled }}
- { name: STRATA_ORCHESTRATOR_INFERENCE_DEPLOYMENT, value: {{ $.root.Release.Name }}-inference }
- { name: STRATA_ORCHESTRATOR_IDLE_MINUTES, value: {{ .afterMinutes | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- define "strata.mounts.orchestrator" -}}
- { name: pipelines, mountPath: /etc/strata/pipelines, readOnly: true }
{{- end }}
{{- define "strata.volumes.orchestrator" -}}
- { name: pipelines, configMap: { name: {{ .root.Release.Name }}-pipelines } }
{{- end }}

{{- define "strata.env.gateway" -}}
- { name: STRATA_GATEWAY_GRPC_PORT, value: "50050" }
- { name: STRATA_GATEWAY_REQUEST_TIMEOUT_MS, value: {{ mul .values.requestTimeoutSeconds 1000 | quote }} }
{{- with .root.Values.inference.autoscaling }}
{{- if or .idle.enabled .keda.enabled }}
- { name: STRATA_GATEWAY_HOLD_MS, value: {{ mul $.values.holdSeconds 1000 | quote }} }
{{- end }}
{{- end }}
{{- with .values.auth }}
{{- if or .keys .existingSecret }}
- { name: STRATA_GATEWAY_KEYS_FILE, value: /etc/strata/keys/keys.yaml }
{{- end }}
{{- if .jwt.issuer }}
- { name: STRATA_GATEWAY_JWT_ISSUER, value: {{ .jwt.issuer | quote }} }
- { name: STRATA_GATEWAY_JWT_AUDIENCE, value: {{ required "gateway.auth.jwt.audience: whom are the tokens for?" .jwt.audience | quote }} }
- { name: STRATA_GATEWAY_JWT_JWKS_URL, value: {{ required "gateway.auth.jwt.jwksUrl: where are the issuer's keys?" .jwt.jwksUrl | quote }} }
{{- end }}
{{- with .sharedNames }}
- { name: STRATA_GATEWAY_SHARED_NAMES, value: {{ join "," . | quote }} }
{{- end }}
{{- end }}
{{- if .values.tlsSecret }}
- { name: STRATA_GATEWAY_TLS_CERT_FILE, value: /etc/strata/gateway-tls/tls.crt }
- { name: STRATA_GATEWAY_TLS_KEY_FILE, value: /etc/strata/gateway-tls/tls.key }
{{- end }}
{{- end }}
{{- define "strata.mounts.gateway" -}}
{{- if or .values.auth.keys .values.auth.existingSecret }}
- { name: keys, mountPath: /etc/strata/keys, readOnly: true }
{{- end }}
{{- if .values.tlsSecret }}
- { name: gateway-tls, mountPath: /etc/strata/gateway-tls, readOnly: true }
{{- end }}
{{- end }}
{{- define "strata.volumes.gateway" -}}
{{- if or .values.auth.keys .values.auth.existingSecret }}
- { name: keys, secret: { secretName: {{ .values.auth.existingSecret | default (printf "%s-gateway-keys" .root.Release.Name) }} } }
{{- end }}
{{- with .values.tlsSecret }}
- { name: gateway-tls, secret: { secretName: {{ . }} } }
{{- end }}
{{- end }}
