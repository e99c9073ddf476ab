package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed docs.html
var docsPage string

// operation is one method of one path, as /docs shows it.
type operation struct {
	Method, Path, Summary, Description, Tag, Anchor string
	Parameters                                      []parameter
	Body                                            string // an example or the schema, JSON
	Responses                                       []response
}

type parameter struct {
	Name, In, Type, Description string
	Required                    bool
}

type response struct{ Status, Description string }

type group struct {
	Name       string
	Operations []operation
}

// methods in the order in which the page lists them.
func methods() []string {
	return []string{"get", "post", "put", "patch", "delete", "head", "options"}
}

// operations lists every operation by path.
func (d *Document) operations() ([]operation, error) {
	var list []operation
	paths := object(d.root["paths"])
	for _, path := range sortedKeys(paths) {
		item := object(paths[path])
		for _, method := range methods() {
			op, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			o, err := d.operation(path, method, item, op)
			if err != nil {
				return nil, err
			}
			list = append(list, o)
		}
	}
	return list, nil
}

func (d *Document) operation(path, method string, item, op map[string]any) (operation, error) {
	o := operation{
		Method: strings.ToUpper(method), Path: path, Anchor: method + path, Tag: "other",
		Summary: text(op["summary"]), Description: text(op["description"]),
	}
	if tags, ok := op["tags"].([]any); ok && len(tags) > 0 {
		o.Tag = text(tags[0])
	}
	shared, _ := item["parameters"].([]any)
	own, _ := op["parameters"].([]any)
	for _, raw := range slices.Concat(shared, own) {
		p := d.resolve(raw)
		required, _ := p["required"].(bool)
		o.Parameters = append(o.Parameters, parameter{
			Name: text(p["name"]), In: text(p["in"]), Required: required,
			Type: d.typeOf(p["schema"]), Description: text(p["description"]),
		})
	}
	body, err := d.body(op["requestBody"])
	if err != nil {
		return o, fmt.Errorf("openapi: %s %s: %w", o.Method, path, err)
	}
	o.Body = body
	responses := object(op["responses"])
	for _, status := range sortedKeys(responses) {
		o.Responses = append(o.Responses, response{status, text(d.resolve(responses[status])["description"])})
	}
	return o, nil
}

// body gives an example of a request's body, or its schema if there is none.
func (d *Document) body(v any) (string, error) {
	for _, media := range object(d.resolve(v)["content"]) {
		m := object(media)
		shown := m["example"]
		for _, e := range object(m["examples"]) {
			shown = d.resolve(e)["value"]
		}
		schema := d.resolve(m["schema"])
		if shown == nil {
			shown = schema["example"]
		}
		if shown == nil && len(schema) > 0 {
			shown = schema
		}
		if shown != nil {
			out, err := json.MarshalIndent(shown, "", "  ")
			return string(out), err
		}
	}
	return "", nil
}

func (d *Document) typeOf(v any) string {
	s := d.resolve(v)
	parts := []string{text(s["type"])}
	if f := text(s["format"]); f != "" {
		parts = append(parts, f)
	}
	if p := text(s["pattern"]); p != "" {
		parts = append(parts, p)
	}
	if values, ok := s["enum"].([]any); ok {
		parts = append(parts, strings.Trim(fmt.Sprint(values), "[]"))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// page renders /docs, operations grouped by their first tag.
func (d *Document) page() ([]byte, error) {
	operations, err := d.operations()
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, o := range operations {
		i := slices.IndexFunc(groups, func(g group) bool { return g.Name == o.Tag })
		if i < 0 {
			groups = append(groups, group{Name: o.Tag})
			i = len(groups) - 1
		}
		groups[i].Operations = append(groups[i].Operations, o)
	}
	page, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	info := object(d.root["info"])
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{
		"Title": text(info["title"]), "Version": text(info["version"]),
		"Description": text(info["description"]), "Groups": groups,
	})
	return out.Bytes(), err
}
