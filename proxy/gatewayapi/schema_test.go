package gatewayapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// The release of the Gateway API whose schema is kept. It is fetched like a module, but is
// none of ours: its types would bring in seventeen others.
const (
	release = "sigs.k8s.io/gateway-api@v1.4.1"
	sum     = "h1:NPxFutNkKNa8UfLd2CMlEuhIPMQgDQ6DXNKG9sHbJU8="
)

// httpRoutes gives the schema by which a cluster judges an HTTPRoute of version v1.
func httpRoutes(t *testing.T) *jsonschema.Schema {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", release)
	cmd.Dir = t.TempDir() // outside of this module
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &got); err != nil || e != nil || got.Sum != sum {
		t.Fatalf("the Gateway API cannot be fetched: %v, %v: %s", err, e, out)
	}
	text, err := os.ReadFile(filepath.Join(got.Dir, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &definition); err != nil {
		t.Fatal(err)
	}
	for _, version := range definition.Spec.Versions {
		if version.Name == "v1" {
			return compiled(t, version.Schema.OpenAPIV3Schema)
		}
	}
	t.Fatal("there is no HTTPRoute v1")
	return nil
}

// compiled makes a schema of OpenAPI one of JSON Schema, which refuses unknown fields.
func compiled(t *testing.T, schema map[string]any) *jsonschema.Schema {
	t.Helper()
	strict(schema)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4) // on which OpenAPI 3.0 stands
	c.AssertFormat()
	if err := c.AddResource("httproutes.json", plain(t, schema)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("httproutes.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// strict closes every object whose fields the schema lists.
func strict(node any) {
	switch v := node.(type) {
	case map[string]any:
		if _, lists := v["properties"].(map[string]any); lists && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			strict(child)
		}
	case []any:
		for _, child := range v {
			strict(child)
		}
	}
}

// plain gives a value as JSON has it.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}
