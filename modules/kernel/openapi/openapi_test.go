package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/openapi"
)

const one = `
openapi: 3.1.0
info: {title: one, version: v1}
paths:
  /a/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}, description: Which.}]
    get:
      tags: [first]
      summary: Read <a>
      responses: {200: {description: Here.}, 404: {$ref: "#/components/responses/Problem"}}
    put:
      summary: Write a
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
      responses: {204: {description: Done.}}
components:
  responses: {Problem: {description: It failed.}}
  schemas: {Thing: {type: object, example: {name: a thing}}}
`

const two = `
openapi: 3.1.0
info: {title: two, version: v1}
paths:
  /b:
    get:
      responses: {200: {description: A b., content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}}
components:
  responses: {Problem: {description: It failed.}}
  schemas: {Thing: {type: string}}
`

type recorder struct{ problems []string }

func (*recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func router(routes ...string) *mux.Router {
	r := mux.NewRouter()
	sub := r.NewRoute().Subrouter() // a group has no path of its own
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		sub.HandleFunc(path, func(http.ResponseWriter, *http.Request) {}).Methods(method)
	}
	return r
}

func TestCheckRouter(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *mux.Router
		want string
	}{
		{"the same", router("GET /a/{id:[a-z]{2}}", "PUT /a/{id}"), ""},
		{"a route too few", router("GET /a/{id}"), "PUT /a/{id} is described but not routed"},
		{"a route too many", router("GET /a/{id}", "PUT /a/{id}", "DELETE /a/{id}"), "DELETE /a/{id} is routed but not described"},
		{"another name", router("GET /a/{name}", "PUT /a/{id}"), "GET /a/{id} is described but not routed|GET /a/{name} is routed but not described"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got recorder
			openapi.CheckRouter(&got, []byte(one), c.r)
			if strings.Join(got.problems, "|") != c.want {
				t.Errorf("it says %q, not %q", got.problems, c.want)
			}
		})
	}
	var got recorder
	openapi.CheckRouter(&got, []byte("openapi: 2.0"), router())
	if len(got.problems) != 1 {
		t.Errorf("an old description: %q", got.problems)
	}
}

func TestMerge(t *testing.T) {
	d, err := openapi.Merge("all", "v1", "Everything.", []byte(one), []byte(two), openapi.Common)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Openapi    string
		Paths      map[string]map[string]any
		Components map[string]map[string]any
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Openapi != "3.1.0" || doc.Paths["/a/{id}"]["put"] == nil || doc.Paths["/b"]["get"] == nil || doc.Paths["/health"] == nil {
		t.Errorf("paths are missing: %s", text)
	}
	if len(doc.Components["responses"]) != 1 || doc.Components["schemas"]["Thing2"] == nil || doc.Components["schemas"]["Thing"] == nil {
		t.Errorf("components that differ must both be there, the same ones once: %v", doc.Components)
	}
	if b, _ := json.Marshal(doc.Paths["/b"]); !strings.Contains(string(b), "#/components/schemas/Thing2") {
		t.Errorf("the reference was not renamed: %s", b)
	}
	if _, err := openapi.Merge("all", "v1", "", []byte(two), []byte(strings.Replace(two, "A b.", "Another.", 1))); err == nil {
		t.Error("a path described twice passes")
	}
}

func TestDocs(t *testing.T) {
	d, err := openapi.Merge("all", "v1", "Everything.", []byte(one))
	if err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter()
	if err := d.Mount(r); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/docs", nil))
	page := w.Body.String()
	for _, want := range []string{"/a/{id}", "Read &lt;a&gt;", "Which.", "It failed.", "a thing"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "src=", "http://", "https://"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q; it must stand alone", not)
		}
	}
}
