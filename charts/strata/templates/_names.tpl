{{/* Names, labels, images. Helpers that take a dict want { root: $, … }; `component` is a service's name, `worker`, `nats`, … */}}

{{- define "strata.host" -}}
{{ .root.Release.Name }}-{{ .component }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{- define "strata.selector" -}}
app.kubernetes.io/name: strata
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "strata.labels" -}}
{{ include "strata.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "strata.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ .image }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* The services of files/services.yaml, by name. */}}
{{- define "strata.services" -}}
{{ .Files.Get "files/services.yaml" }}
{{- end }}

{{/* What one service is set to: the defaults, its own section, and its resource profile, if it has one. */}}
{{- define "strata.serviceValues" -}}
{{- $values := mergeOverwrite (deepCopy .root.Values.serviceDefaults) (deepCopy (index .root.Values .key)) -}}
{{- with $values.profile -}}
{{- if not (hasKey $.root.Values.resourceProfiles .) }}{{ fail (printf "%s.profile: resourceProfiles has no %q" $.key .) }}{{ end -}}
{{- $profile := pick (index $.root.Values.resourceProfiles .) "resources" "nodeSelector" "tolerations" "runtimeClassName" "device" "image" -}}
{{- $values = merge (deepCopy $profile) (omit $values "resources" "nodeSelector" "tolerations") -}}
{{- end -}}
{{ toYaml $values }}
{{- end }}

{{/* The secret with the certificate of one component. */}}
{{- define "strata.tlsSecret" -}}
{{ .root.Values.tls.existingSecret | default (printf "%s-%s-tls" .root.Release.Name .component) }}
{{- end }}

{{- define "strata.natsSecret" -}}
{{ .Values.nats.existingSecret | default (printf "%s-nats" .Release.Name) }}
{{- end }}

{{- define "strata.objectStoreSecret" -}}
{{ .Values.objectStore.existingSecret | default (printf "%s-object-store" .Release.Name) }}
{{- end }}

{{/* Whether MinIO tells NATS of new objects. */}}
{{- define "strata.notifies" -}}
{{- if and .Values.minio.notifications.enabled (include "strata.usesMinio" .) }}
{{- if not .Values.nats.enabled }}{{ fail "minio.notifications: they go to the NATS of this chart (nats.enabled: true)" }}{{ end -}}
true
{{- end }}
{{- end }}

{{- define "strata.usesMinio" -}}
{{- if and .Values.minio.enabled (not .Values.objectStore.endpoint) }}true{{ end }}
{{- end }}
