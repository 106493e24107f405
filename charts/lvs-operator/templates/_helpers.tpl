{{- define "lvs-operator.labels" -}}
app.kubernetes.io/name: lvs-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* By which a workload and what belongs to it know its pods: never changed, since selectors cannot be. */ -}}
{{- define "lvs-operator.selector" -}}
app.kubernetes.io/name: lvs-operator
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "lvs-operator.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}

{{- define "lvs-operator.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* What client libraries read to find the API server. */ -}}
{{- define "lvs-operator.apiServerEnv" -}}
{{- with .Values.apiServer.host }}
- name: KUBERNETES_SERVICE_HOST
  value: {{ . | quote }}
- name: KUBERNETES_SERVICE_PORT
  value: {{ $.Values.apiServer.port | quote }}
{{- end }}
{{- end }}

{{- /* Who the API server says a controller or a director is. */ -}}
{{- define "lvs-operator.controllerUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.controller.serviceAccount.name }}
{{- end }}

{{- define "lvs-operator.directorUser" -}}
system:serviceaccount:{{ .Values.director.namespace.name }}:{{ .Values.director.serviceAccount.name }}
{{- end }}

{{- /* CEL that is true for administrators. */ -}}
{{- define "lvs-operator.isExempt" -}}
request.userInfo.username in {{ toJson .Values.admission.exemptUsers }} ||
request.userInfo.groups.exists(group, group in {{ toJson .Values.admission.exemptGroups }})
{{- end }}

{{- /* CEL that is true for the parts of Kubernetes that delete dependents and the content of namespaces. The last one is
the user of a controller manager whose parts have no accounts of their own. */ -}}
{{- define "lvs-operator.isCollector" -}}
request.userInfo.username in [
  'system:serviceaccount:kube-system:generic-garbage-collector',
  'system:serviceaccount:kube-system:namespace-controller',
  'system:kube-controller-manager'
]
{{- end }}

{{- /* What a director's container has, and what cleans up after it: root on the host's network, with two capabilities. */ -}}
{{- define "lvs-operator.directorSecurityContext" -}}
runAsUser: 0
runAsGroup: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  add: [NET_ADMIN, NET_RAW]
seccompProfile:
  type: RuntimeDefault
{{- with .Values.director.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lvs-operator.directorMounts" -}}
- name: state
  mountPath: /var/lib/lvs-operator
- name: configuration
  mountPath: /etc/lvs-operator
  readOnly: true
- name: sysctls
  mountPath: /host/proc/sys/net
- name: xtables-lock
  mountPath: /run/xtables.lock
{{- end }}

{{- define "lvs-operator.directorVolumes" -}}
- name: state
  hostPath:
    path: {{ .Values.director.stateDirectory }}
    type: DirectoryOrCreate
- name: configuration
  configMap:
    name: lvs-director
# Of its own, a container has these read-only.
- name: sysctls
  hostPath:
    path: /proc/sys/net
    type: Directory
- name: xtables-lock
  hostPath:
    path: {{ .Values.director.xtablesLock }}
    type: FileOrCreate
{{- end }}
