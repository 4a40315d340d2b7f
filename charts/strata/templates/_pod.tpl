{{/* What the pods of services, Jobs and tests share: security, environment, volumes. */}}

{{- define "strata.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "strata.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "strata.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Settings that are secret or the pod's own; the others are in the ConfigMap. */}}
{{- define "strata.env" -}}
{{- if not .Values.nats.credentialsSecret }}
- name: STRATA_NATS_USER
  valueFrom: { secretKeyRef: { name: {{ include "strata.natsSecret" . }}, key: nats-user } }
- name: STRATA_NATS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ include "strata.natsSecret" . }}, key: nats-password } }
{{- end }}
- name: STRATA_S3_ACCESS_KEY
  valueFrom: { secretKeyRef: { name: {{ include "strata.objectStoreSecret" . }}, key: s3-access-key } }
- name: STRATA_S3_SECRET_KEY
  valueFrom: { secretKeyRef: { name: {{ include "strata.objectStoreSecret" . }}, key: s3-secret-key } }
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_UID
  valueFrom: { fieldRef: { fieldPath: metadata.uid } }
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- end }}

{{- define "strata.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .root.Values.tls.enabled }}
- { name: tls, mountPath: /etc/strata/tls, readOnly: true }
{{- end }}
{{- if .root.Values.nats.credentialsSecret }}
- { name: nats-credentials, mountPath: /etc/strata/nats-credentials, readOnly: true }
{{- end }}
{{- if .root.Values.nats.caSecret }}
- { name: nats-ca, mountPath: /etc/strata/nats-ca, readOnly: true }
{{- end }}
{{- if .root.Values.objectStore.caSecret }}
- { name: object-store-ca, mountPath: /etc/strata/object-store-ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "strata.volumes" -}}
- { name: tmp, emptyDir: { sizeLimit: {{ .scratch | default "10Gi" }} } }
{{- if .root.Values.tls.enabled }}
- { name: tls, secret: { secretName: {{ include "strata.tlsSecret" . }} } }
{{- end }}
{{- with .root.Values.nats.credentialsSecret }}
- { name: nats-credentials, secret: { secretName: {{ . }} } }
{{- end }}
{{- with .root.Values.nats.caSecret }}
- { name: nats-ca, secret: { secretName: {{ . }} } }
{{- end }}
{{- with .root.Values.objectStore.caSecret }}
- { name: object-store-ca, secret: { secretName: {{ . }} } }
{{- end }}
{{- end }}
