// Package openapi serves a program's OpenAPI 3.1 description as /openapi.json and as
// a page for people at /docs, joined from those of the contexts that it contains, and
// checks that a description and a router name the same operations.
package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"go.yaml.in/yaml/v3"
)

// Common describes the paths that every program of ours serves.
//
//go:embed common.yaml
var Common []byte

// Document is a description, read.
type Document struct {
	root map[string]any
}

// Parse reads a description in YAML or JSON.
func Parse(spec []byte) (*Document, error) {
	var raw any
	if err := yaml.Unmarshal(spec, &raw); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	root, ok := textKeys(raw).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("openapi: the description is not an object")
	}
	if version, _ := root["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		return nil, fmt.Errorf("openapi: the description must say openapi: 3.1.x, not %q", version)
	}
	return &Document{root: root}, nil
}

// textKeys makes every key a string: YAML reads the status 200 as a number.
func textKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = textKeys(v[k])
		}
		return v
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[fmt.Sprint(k)] = textKeys(e)
		}
		return m
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	}
	return v
}

// Merge joins descriptions into one. A component that two of them name but describe
// differently gets a number behind its name in the later one; a path with the same
// method twice is an error.
func Merge(title, version, description string, specs ...[]byte) (*Document, error) {
	paths, components, tags := map[string]any{}, map[string]any{}, []any{}
	for _, spec := range specs {
		d, err := Parse(spec)
		if err != nil {
			return nil, err
		}
		d.rename(components)
		for kind, named := range object(d.root["components"]) {
			into := objectIn(components, kind)
			for name, component := range object(named) {
				into[name] = component
			}
		}
		for path, item := range object(d.root["paths"]) {
			into := objectIn(paths, path)
			for key, value := range object(item) {
				if had, twice := into[key]; twice && !reflect.DeepEqual(had, value) {
					return nil, fmt.Errorf("openapi: %s %s is described twice", strings.ToUpper(key), path)
				}
				into[key] = value
			}
		}
		if more, ok := d.root["tags"].([]any); ok {
			tags = append(tags, more...)
		}
	}
	return &Document{root: map[string]any{
		"openapi": "3.1.0", "paths": paths, "components": components, "tags": tags,
		"info": map[string]any{"title": title, "version": version, "description": description},
	}}, nil
}

// rename gives the document's components names that are free in taken, unless they are
// the same as there.
func (d *Document) rename(taken map[string]any) {
	for kind, named := range object(d.root["components"]) {
		named := object(named)
		for _, name := range sortedKeys(named) {
			other, clash := object(taken[kind])[name]
			if !clash || reflect.DeepEqual(other, named[name]) {
				continue
			}
			free := name
			for n := 2; ; n++ {
				free = fmt.Sprintf("%s%d", name, n)
				if object(taken[kind])[free] == nil && named[free] == nil {
					break
				}
			}
			named[free] = named[name]
			delete(named, name)
			prefix := "#/components/" + kind + "/"
			replaceRef(d.root, prefix+name, prefix+free)
		}
	}
}

func replaceRef(v any, from, to string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if s, ok := e.(string); ok && k == "$ref" && s == from {
				v[k] = to
			} else {
				replaceRef(e, from, to)
			}
		}
	case []any:
		for _, e := range v {
			replaceRef(e, from, to)
		}
	}
}

// JSON gives the document as JSON.
func (d *Document) JSON() ([]byte, error) {
	body, err := json.Marshal(d.root)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return body, nil
}

// Mount serves the document at /openapi.json and its page at /docs.
func (d *Document) Mount(r *mux.Router) error {
	body, err := d.JSON()
	if err != nil {
		return err
	}
	page, err := d.page()
	if err != nil {
		return err
	}
	r.Methods(http.MethodGet).Path("/openapi.json").Handler(static("application/json", body))
	r.Methods(http.MethodGet).Path("/docs").Handler(static("text/html; charset=utf-8", page))
	return nil
}

func static(media string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
}

// resolve follows a local $ref once; other values are given back.
func (d *Document) resolve(v any) map[string]any {
	m := object(v)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var at any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at)[part]
	}
	return object(at)
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func objectIn(m map[string]any, key string) map[string]any {
	o, ok := m[key].(map[string]any)
	if !ok {
		o = map[string]any{}
		m[key] = o
	}
	return o
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
