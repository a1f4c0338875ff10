{{- define "tailgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tailgate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tailgate.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tailgate.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tailgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tailgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tailgate.labels" -}}
{{ include "tailgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tailgate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tailgate.serviceAccountName" -}}
{{- default (include "tailgate.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "tailgate.secretName" -}}
{{- default (include "tailgate.fullname" .) .Values.auth.existingSecret }}
{{- end }}

{{/* "repository:tag" or "repository@digest"; never "latest". Takes (dict "image" … "root" $). */}}
{{- define "tailgate.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .root.Chart.AppVersion $image.tag }}
{{- end }}
{{- end }}

{{/* Whether the capture process shares the monitor's pod: only a spool on one volume needs that. */}}
{{- define "tailgate.sidecarInMonitor" -}}
{{- if and .Values.sidecar.enabled (eq .Values.handover "spool") }}true{{ end }}
{{- end }}

{{/* tailgate.yaml: what the chart knows, overridden by .Values.config. Secrets are names of variables. */}}
{{- define "tailgate.config" -}}
{{- $derived := dict
  "route" (dict "name" .Values.route)
  "baseline" (dict "url" .Values.baseline.url)
  "candidate" (dict "url" .Values.candidate.url)
  "sidecar" (dict "listen" "0.0.0.0:8080" "admin" "0.0.0.0:9871" "token_env" "TAILGATE_TOKEN")
  "http" (dict "listen" "0.0.0.0:9870" "token_env" "TAILGATE_TOKEN")
  "store" (dict "path" "/var/lib/tailgate/tailgate.duckdb")
  "spool" (dict "directory" "/var/lib/tailgate/spool")
  "privacy" (dict "key_env" "TAILGATE_KEY")
  "handover" (dict "kind" .Values.handover)
}}
{{- if .Values.baseline.tokenKey }}
{{- $_ := set $derived.baseline "token_env" "TAILGATE_BASELINE_TOKEN" }}
{{- end }}
{{- if .Values.candidate.tokenKey }}
{{- $_ := set $derived.candidate "token_env" "TAILGATE_CANDIDATE_TOKEN" }}
{{- end }}
{{- if .Values.candidate.model }}
{{- $_ := set $derived.candidate "model" .Values.candidate.model }}
{{- end }}
{{- if eq .Values.handover "kafka" }}
{{- $_ := set $derived "kafka" (dict "bootstrap" .Values.kafka.bootstrap "topic_prefix" .Values.kafka.topicPrefix "group" .Values.kafka.group "security" .Values.kafka.security) }}
{{- end }}
{{- toYaml (mergeOverwrite $derived (deepCopy .Values.config)) }}
{{- end }}

{{/* Refusals that a schema cannot say. */}}
{{- define "tailgate.validate" -}}
{{- if and (eq .Values.handover "kafka") (not .Values.kafka.bootstrap) }}
{{- fail "kafka.bootstrap: name at least one broker, host:port, or set handover to spool" }}
{{- end }}
{{- if and (eq .Values.handover "spool") (gt (int .Values.monitor.replicas) 1) }}
{{- fail "monitor.replicas: more than one needs handover: kafka; a spool and its DuckDB file have one owner" }}
{{- end }}
{{- end }}
