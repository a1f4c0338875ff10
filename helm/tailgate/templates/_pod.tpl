{{- define "tailgate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tailgate.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tailgate.env" -}}
- name: DO_NOT_TRACK
  value: "1"
- name: TAILGATE_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "tailgate.secretName" . }}
      key: {{ .Values.auth.tokenKey }}
- name: TAILGATE_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "tailgate.secretName" . }}
      key: {{ .Values.auth.sealingKey }}
{{- with .Values.baseline.tokenKey }}
- name: TAILGATE_BASELINE_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "tailgate.secretName" $ }}
      key: {{ . }}
{{- end }}
{{- with .Values.candidate.tokenKey }}
- name: TAILGATE_CANDIDATE_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "tailgate.secretName" $ }}
      key: {{ . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* image, environment, security and mounts that all containers share. Takes (dict "image" … "root" $). */}}
{{- define "tailgate.common" -}}
image: {{ include "tailgate.image" . }}
imagePullPolicy: {{ .image.pullPolicy }}
securityContext:
  {{- include "tailgate.securityContext" .root | nindent 2 }}
env:
{{ include "tailgate.env" .root }}
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
- name: config
  mountPath: /etc/tailgate
  readOnly: true
- name: data
  mountPath: /var/lib/tailgate
- name: tmp
  mountPath: /tmp
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The capture process. Liveness asks this process alone: a dead baseline must not restart it. */}}
{{- define "tailgate.sidecar" -}}
- name: sidecar
  {{- if .Values.sidecar.native }}
  restartPolicy: Always
  {{- end }}
  args: [sidecar, -c, /etc/tailgate/tailgate.yaml]
  {{- include "tailgate.common" (dict "image" .Values.sidecar.image "root" .) | nindent 2 }}
  ports:
  - name: openai
    containerPort: 8080
  - name: tailgate-admin
    containerPort: 9871
  startupProbe:
    httpGet:
      path: /-/healthy
      port: tailgate-admin
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet:
      path: /-/healthy
      port: tailgate-admin
    periodSeconds: 10
    failureThreshold: 3
  readinessProbe:
    httpGet:
      path: /-/ready
      port: tailgate-admin
    periodSeconds: 5
  resources:
    {{- toYaml .Values.sidecar.resources | nindent 4 }}
{{- end }}

{{/* Ships the spool to Kafka; several may run, each on its own pod's spool. */}}
{{- define "tailgate.shipper" -}}
- name: shipper
  args: [shipper, -c, /etc/tailgate/tailgate.yaml]
  {{- include "tailgate.common" (dict "image" .Values.image "root" .) | nindent 2 }}
  resources:
    {{- toYaml .Values.shipper.resources | nindent 4 }}
{{- end }}

{{- define "tailgate.volumes" -}}
- name: config
  configMap:
    name: {{ include "tailgate.fullname" . }}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Scheduling and identity of every pod of the chart. Takes (dict "spec" .Values.monitor "root" $). */}}
{{- define "tailgate.podSpec" -}}
serviceAccountName: {{ include "tailgate.serviceAccountName" .root }}
automountServiceAccountToken: false
securityContext:
  {{- include "tailgate.podSecurityContext" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .spec.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
