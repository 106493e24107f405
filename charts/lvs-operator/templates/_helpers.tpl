{{- define "lvs-operator.labels" -}}
app.kubernetes.io/name: lvs-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
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
