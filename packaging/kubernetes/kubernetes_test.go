// Package kubernetes holds the manifests to Kubernetes's own types, which needs no cluster
// and no network.
package kubernetes

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// manifests is what the file describes, one of each kind.
type manifests struct {
	namespace  corev1.Namespace
	secret     corev1.Secret
	account    corev1.ServiceAccount
	deployment appsv1.Deployment
	budget     policyv1.PodDisruptionBudget
	service    corev1.Service
	policy     networkingv1.NetworkPolicy
}

// read decodes the file and refuses properties and values that a type does not have.
func read(text []byte) (*manifests, error) {
	var m manifests
	into := map[string]metav1.Object{
		"v1/Namespace": &m.namespace, "v1/Secret": &m.secret, "v1/ServiceAccount": &m.account, "apps/v1/Deployment": &m.deployment,
		"policy/v1/PodDisruptionBudget": &m.budget, "v1/Service": &m.service, "networking.k8s.io/v1/NetworkPolicy": &m.policy,
	}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, err
		}
		name := kind.APIVersion + "/" + kind.Kind
		object := into[name]
		if object == nil {
			return nil, fmt.Errorf("%s: not expected, or twice", name)
		}
		delete(into, name)
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if object.GetName() != "keyrack" || name != "v1/Namespace" && object.GetNamespace() != "keyrack" {
			return nil, fmt.Errorf("%s: %s/%s", name, object.GetNamespace(), object.GetName())
		}
	}
	if len(into) > 0 {
		return nil, fmt.Errorf("%q are missing", slices.Sorted(maps.Keys(into)))
	}
	return &m, m.check()
}

// check finds what the types allow and no cluster could use.
func (m *manifests) check() error {
	pod := m.deployment.Spec.Template
	container := pod.Spec.Containers[0]
	for what, selector := range map[string]map[string]string{
		"the deployment": m.deployment.Spec.Selector.MatchLabels, "the service": m.service.Spec.Selector,
		"the policy": m.policy.Spec.PodSelector.MatchLabels, "the budget": m.budget.Spec.Selector.MatchLabels,
	} {
		if len(selector) == 0 || !maps.Equal(selector, pod.Labels) {
			return fmt.Errorf("%s selects %v, the pods have %v", what, selector, pod.Labels)
		}
	}
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for _, port := range m.service.Spec.Ports {
		if ports[port.TargetPort.String()] != port.Port {
			return fmt.Errorf("the service's port %s goes to %s", port.Name, &port.TargetPort)
		}
	}
	if _, published := ports["health"]; !published || slices.ContainsFunc(m.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == "health" }) {
		return fmt.Errorf("the kubelet alone asks for health")
	}
	for _, rule := range m.policy.Spec.Ingress {
		for _, port := range rule.Ports {
			if ports[port.Port.String()] == 0 || len(rule.From) == 0 {
				return fmt.Errorf("the policy lets %d into %s", len(rule.From), port.Port)
			}
		}
	}
	for path, probe := range map[string]*corev1.Probe{"/livez": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.String() != "health" {
			return fmt.Errorf("nobody asks %s at the port for health", path)
		}
	}
	if container.StartupProbe == nil {
		return fmt.Errorf("there is no startup probe")
	}
	volumes := pod.Spec.Volumes
	if len(volumes) != 1 || volumes[0].Secret == nil || volumes[0].Secret.SecretName != m.secret.Name || *volumes[0].Secret.DefaultMode != 0o440 ||
		len(container.VolumeMounts) != 1 || container.VolumeMounts[0].Name != volumes[0].Name {
		return fmt.Errorf("the secret is not mounted for the group alone")
	}
	security, whole := container.SecurityContext, pod.Spec.SecurityContext
	if !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation || !*whole.RunAsNonRoot || *whole.FSGroup != *whole.RunAsGroup ||
		whole.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		return fmt.Errorf("a restricted namespace refuses the pod")
	}
	if rolling := m.deployment.Spec.Strategy.RollingUpdate; rolling.MaxUnavailable.IntValue() != 0 || *pod.Spec.TerminationGracePeriodSeconds <= 10 {
		return fmt.Errorf("an update ends instances too early")
	}
	if pod.Spec.ServiceAccountName != m.account.Name || *pod.Spec.AutomountServiceAccountToken || *pod.Spec.EnableServiceLinks {
		return fmt.Errorf("the pod gets what it has no use for")
	}
	memory := container.Resources.Limits.Memory()
	for _, env := range container.Env {
		if mebibytes, ok := strings.CutSuffix(env.Value, "MiB"); ok && env.Name == "GOMEMLIMIT" {
			if limit, err := strconv.ParseInt(mebibytes, 10, 64); err != nil || limit<<20 >= memory.Value() {
				return fmt.Errorf("GOMEMLIMIT=%s, %v, of %s", env.Value, err, memory)
			}
		}
	}
	return nil
}

func TestManifests(t *testing.T) {
	text, err := os.ReadFile("keyrack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	container, err := os.ReadFile(filepath.Join("..", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	whole := m.deployment.Spec.Template.Spec.SecurityContext
	if user := fmt.Sprintf("USER %d:%d\n", *whole.RunAsUser, *whole.RunAsGroup); !strings.Contains(string(container), user) {
		t.Errorf("the container file has another %s", user)
	}
	// What is wrong is found.
	for _, fault := range [][2]string{
		{"readinessProbe:", "readynessProbe:"},
		{"replicas: 2", "replicas: two"},
		{"containerPort: 8082", "containerPort: 8082\n              containerPort: 8083"},
		{"apiVersion: apps/v1", "apiVersion: apps/v1beta1"},
		{"path: /readyz", "path: /livez"},
		{"targetPort: api", "targetPort: apl"},
		{"- port: webhook", "- port: webhooks"},
		{"secretName: keyrack", "secretName: keyracks"},
		{"defaultMode: 0440", "defaultMode: 0444"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
		{"maxUnavailable: 0", "maxUnavailable: 1"},
		{"460MiB", "600MiB"},
		{"      labels:\n        app.kubernetes.io/name: keyrack", "      labels:\n        app.kubernetes.io/name: keyring"},
		{"kind: PodDisruptionBudget", "kind: Service"},
	} {
		if !bytes.Contains(text, []byte(fault[0])) {
			t.Errorf("%q is not in the file", fault[0])
		} else if _, err := read(regexp.MustCompile(regexp.QuoteMeta(fault[0])).ReplaceAllLiteral(text, []byte(fault[1]))); err == nil {
			t.Errorf("%q instead of %q is not found", fault[1], fault[0])
		}
	}
}
