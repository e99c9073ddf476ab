// Package web is the HTTP ground floor of every context: strict JSON in, JSON and
// problem+json out, request ids, limits, logs, metrics and a server that drains.
package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"banyan/modules/kernel/errs"
)

// MaxBody is the default bound of a request body in bytes.
const MaxBody = 64 << 10

// JSON answers with v as JSON.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a type of ours that cannot be marshalled: a defect
		http.Error(w, `{"code":"internal"}`, http.StatusInternalServerError)
		return
	}
	send(w, status, append(body, '\n'))
}

// Encoded answers with a text that is JSON already.
func Encoded(w http.ResponseWriter, status int, text []byte) {
	send(w, status, append(slices.Clip(text), '\n')) // a copy: others may have the text too
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Decode reads one JSON object of at most limit bytes (0: MaxBody) into v, refusing
// unknown and repeated fields, NUL, broken UTF-8 and anything behind the object. Its
// errors say what was wrong and where.
func Decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if err := wantJSON(r); err != nil {
		return err
	}
	body, err := Body(w, r, limit)
	if err != nil {
		return err
	}
	return Unmarshal(body, v)
}

func wantJSON(r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") != "" && (err != nil || (media != "application/json" && media != "application/merge-patch+json")) {
		return errs.E(errs.UnsupportedMedia, "the body must be application/json, not %q", r.Header.Get("Content-Type"))
	}
	return nil
}

// Body reads a request's body of at most limit bytes (0: MaxBody).
func Body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if limit == 0 {
		limit = MaxBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errs.E(errs.TooLarge, "the body is larger than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errs.E(errs.Timeout, "the body came too slowly").Because(err)
	case err != nil:
		return nil, errs.E(errs.Invalid, "the body ended early").Because(err)
	}
	return body, nil
}

// Unmarshal is Decode for bytes already read.
func Unmarshal(body []byte, v any) error {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return errs.E(errs.Invalid, "the body is empty; a JSON object is needed")
	case !utf8.Valid(body):
		return errs.E(errs.Invalid, "the body is not UTF-8")
	case string(bytes.TrimSpace(body)) == "null": // would decode into anything, unnoticed
		return errs.E(errs.Invalid, "the body is null; a JSON object is needed")
	}
	if err := checkShape(body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return explain(err)
	}
	return nil
}

// maxDepth bounds how deep values may lie in each other: the walk keeps a path for each
// level, which unbounded would grow with the square of the body.
const maxDepth = 32

// checkShape walks the tokens: one value, no field twice, no NUL in a string.
func checkShape(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkValue(d, "", 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errs.E(errs.Invalid, "there is something behind the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, at string, depth int) error {
	if depth > maxDepth {
		return errs.E(errs.Invalid, "the body's values lie more than %d deep in each other", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return explain(err)
	}
	switch t := token.(type) {
	case string:
		if strings.ContainsRune(t, 0) {
			return errs.E(errs.Invalid, "%s contains a NUL character", orBody(at))
		}
	case json.Delim:
		if t == '{' {
			return checkObject(d, at, depth)
		}
		for i := 0; d.More(); i++ {
			if err := checkValue(d, at+"[]", depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return explainOrNil(err)
	}
	return nil
}

func checkObject(d *json.Decoder, at string, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return explain(err)
		}
		name, _ := token.(string)
		if seen[strings.ToLower(name)] {
			return errs.E(errs.Invalid, "the field %q comes twice", name)
		}
		seen[strings.ToLower(name)] = true
		if err := checkValue(d, strings.TrimPrefix(at+"."+name, "."), depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return explainOrNil(err)
}

func orBody(at string) string {
	if at == "" {
		return "the body"
	}
	return "the field " + at
}

func explainOrNil(err error) error {
	if err == nil {
		return nil
	}
	return explain(err)
}

// explain turns an error of encoding/json into one that names what was wrong.
func explain(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var ours *errs.Error
	switch {
	case errors.As(err, &ours):
		return err
	case errors.As(err, &syntax):
		return errs.E(errs.Invalid, "the body is not JSON: %s at byte %d", syntax.Error(), syntax.Offset)
	case errors.As(err, &kind):
		field := kind.Field
		if field == "" {
			field = "the body"
		}
		return errs.E(errs.Invalid, "%s must be %s, not %s", field, typeName(kind.Type), kind.Value).With("field", kind.Field)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errs.E(errs.Invalid, "the body is not JSON: it ends early")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return errs.E(errs.UnknownField, "there is no field %s", name).With("field", strings.Trim(name, `"`))
	}
	return errs.E(errs.Invalid, "the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a " + t.Kind().String()
	}
}
