package arch_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan/app/internal/arch"
)

// TestHouse is the architecture test of this project.
func TestHouse(t *testing.T) {
	found, err := arch.Check("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// sound is a small house that breaks no rule.
func sound() map[string]string {
	return map[string]string{
		"go.mod":                                  "module banyan\n",
		"app/main.go":                             "// Command banyan is.\npackage main\n\nimport (\n_ \"banyan/modules/flights/flightslocal\"\n_ \"banyan/modules/reservations\"\n_ \"banyan/proxy\"\n_ \"banyan/migrations/flights\"\n)\n",
		"modules/kernel/errs/errs.go":             "// Package errs is.\npackage errs\n",
		"modules/kernel/web/web.go":               "// Package web is.\npackage web\n\nimport _ \"banyan/modules/kernel/errs\"\n",
		"modules/flights/flights.go":              "// Package flights is.\npackage flights\n\nimport _ \"banyan/modules/kernel/errs\"\n",
		"modules/flights/flightslocal/l.go":       "// Package flightslocal is.\npackage flightslocal\n\nimport _ \"banyan/modules/flights/internal/store\"\n",
		"modules/flights/flightslocal/l_test.go":  "package flightslocal_test\n\nimport _ \"banyan/migrations/flights\"\n",
		"modules/flights/internal/store/store.go": "// Package store is.\npackage store\n",
		"modules/reservations/reservations.go":    "// Package reservations is.\npackage reservations\n",
		"extracted/flights/main.go":               "// Command banyan-flights is.\npackage main\n\nimport (\n_ \"banyan/modules/flights/flightslocal\"\n_ \"banyan/migrations/flights\"\n)\n",
		"proxy/proxy.go":                          "// Package proxy is.\npackage proxy\n\nimport _ \"banyan/modules/kernel/web\"\n",
		"migrations/flights/flights.go":           "// Package flights is.\npackage flights\n\nimport _ \"embed\"\n",
		"deploy/bench/bench_test.go":              "package bench_test\n\nimport _ \"banyan/modules/flights\"\n",
		".tools/x/x.go":                           "package x\n",
		"modules/flights/testdata/x.go":           "not Go at all",
	}
}

func check(t *testing.T, files map[string]string) []arch.Violation {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := arch.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSoundHousePasses(t *testing.T) {
	if found := check(t, sound()); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

// TestPlantedViolationsAreFound plants one at a time; each must be found, at its line.
func TestPlantedViolationsAreFound(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\n", n) }
	importing := func(pkg, path string) string {
		return "// Package " + pkg + " is.\npackage " + pkg + "\n\nimport _ \"banyan/" + path + "\"\n"
	}
	cases := map[string]struct {
		file, text, want string
		line             int
	}{
		"kernel imports a context":            {"modules/kernel/errs/bad.go", importing("errs", "modules/flights"), "may import only modules/kernel", 4},
		"kernel's name is no prefix":          {"modules/kernel/errs/bad.go", importing("errs", "modules/kernelx"), "may import only", 4},
		"context imports a context":           {"modules/flights/bad.go", importing("flights", "modules/reservations"), "must not know reservations", 4},
		"its internals import a context":      {"modules/flights/internal/store/bad.go", importing("store", "modules/reservations"), "must not know", 4},
		"its tests import a context":          {"modules/flights/bad_test.go", importing("flights_test", "modules/reservations"), "must not know", 4},
		"a build tag hides nothing":           {"modules/flights/bad_plan9.go", "//go:build never\n\n" + importing("flights", "modules/reservations"), "must not know", 6},
		"context imports migrations":          {"modules/flights/bad.go", importing("flights", "migrations/flights"), "may import only", 4},
		"its tests import others' migrations": {"modules/flights/bad_test.go", importing("flights_test", "migrations/reservations"), "may import only", 4},
		"context imports app":                 {"modules/flights/bad.go", importing("flights", "app"), "may import only", 4},
		"context imports proxy":               {"modules/flights/bad.go", importing("flights", "proxy"), "may import only", 4},
		"proxy imports a context":             {"proxy/bad.go", importing("proxy", "modules/flights"), "may import only", 4},
		"proxy imports migrations":            {"proxy/bad.go", importing("proxy", "migrations/proxy"), "may import only", 4},
		"extracted imports another context":   {"extracted/flights/bad.go", "package main\n\nimport _ \"banyan/modules/reservations\"\n", "may import only", 3},
		"extracted imports the router":        {"extracted/flights/bad.go", "package main\n\nimport _ \"banyan/proxy\"\n", "may import only", 3},
		"app imports an extracted service":    {"app/bad.go", "package main\n\nimport _ \"banyan/extracted/flights\"\n", "may import only", 3},
		"migrations import the project":       {"migrations/flights/bad.go", importing("flights", "modules/kernel/errs"), "import nothing", 4},
		"a room of its own":                   {"lib/bad.go", importing("lib", "modules/kernel/errs"), "none of the house's rooms", 4},
		"a file too long":                     {"proxy/bad.go", "package proxy" + lines(500) + "const x = 1", "501 lines; 500 is the most", 501},
		"a test file too long":                {"proxy/bad_test.go", "package proxy" + lines(500) + "const x = 1", "501 lines", 501},
		"a function too long":                 {"proxy/bad.go", "package proxy\n\nfunc long() {" + lines(60) + "}\n", "long has 61 lines; 60 is the most", 3},
		"a method too long":                   {"proxy/bad.go", "package proxy\n\ntype t int\n\nfunc (t) long() {" + lines(60) + "}\n", "long has 61 lines", 5},
		"an init":                             {"proxy/bad.go", "package proxy\n\nfunc init() {}\n", "init()", 3},
		"no package comment":                  {"proxy/admin/bad.go", "package admin\n", "package admin has no comment", 1},
		"a package comment of another":        {"proxy/admin/bad.go", "// Package amdin is.\npackage admin\n", "package admin has no comment", 1},
		"a licence is no package comment":     {"proxy/admin/bad.go", "// Copyright.\n\npackage admin\n", "package admin has no comment", 1},
		"a program without comment":           {"app/tool/bad.go", "package main\n", "package main has no comment", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(sound())
			files[c.file] = c.text
			found := check(t, files)
			if len(found) != 1 || found[0].File != c.file || found[0].Line != c.line || !strings.Contains(found[0].Text, c.want) {
				t.Errorf("found %v, want one at %s:%d that says %q", found, c.file, c.line, c.want)
			}
		})
	}
}

func TestLimitsThemselvesPass(t *testing.T) {
	files := sound()
	files["proxy/edge.go"] = "package proxy\n\nfunc f() {" + strings.Repeat("\n", 59) + "}\n\ntype t int\n\nfunc (t) init() {}\n" + strings.Repeat("\n", 433)
	files["proxy/made.go"] = "// Code generated by a tool. DO NOT EDIT.\n\npackage proxy\n\nfunc long() {" + strings.Repeat("\n", 600) + "}\n"
	if found := check(t, files); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	if _, err := arch.Check(t.TempDir()); err == nil {
		t.Error("a folder without go.mod passed")
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "go.mod"), []byte("module banyan\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Check(empty); err == nil {
		t.Error("a folder without sources passed")
	}
	if err := os.WriteFile(filepath.Join(empty, "x.go"), []byte("package"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Check(empty); err == nil {
		t.Error("a file that does not parse passed")
	}
}
