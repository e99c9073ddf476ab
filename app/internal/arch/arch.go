// Package arch checks the rules of the house on the sources: who may import whom, how
// long files and functions may be, that packages say what they are for. It parses the
// files itself: what a test learns from another program, Go's test cache may repeat
// when the sources have long changed.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// The measure of the house, in lines.
const (
	MaxFile     = 500
	MaxFunction = 60
)

// Violation is a breach of a rule.
type Violation struct {
	File string // relative to the root, with slashes
	Line int
	Text string
}

// String is the line that a person sees.
func (v Violation) String() string { return fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Text) }

// Check parses every Go file below root, tests too, and lists what breaks the rules. The
// error is one of reading or parsing, or of a tree without sources.
func Check(root string) ([]Violation, error) {
	module, err := moduleName(root)
	if err != nil {
		return nil, err
	}
	c := &checker{root: root, module: module, packages: map[string]*pack{}}
	if err := filepath.WalkDir(root, c.visit); err != nil {
		return nil, err
	}
	if len(c.packages) == 0 {
		return nil, fmt.Errorf("no Go files below %s", root)
	}
	c.packageComments()
	return c.found, nil
}

func moduleName(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", fmt.Errorf("%s/go.mod names no module", root)
}

type checker struct {
	root, module string
	packages     map[string]*pack // by folder
	found        []Violation
}

type pack struct {
	name, file string
	commented  bool
}

func (c *checker) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(c.root, name)
	if err != nil {
		return err
	}
	if d.IsDir() {
		if rel != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		return nil
	}
	if !strings.HasSuffix(name, ".go") {
		return nil
	}
	return c.file(filepath.ToSlash(rel))
}

func (c *checker) file(rel string) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Join(c.root, rel), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.imports(rel, fset, f)
	c.remember(rel, f)
	if ast.IsGenerated(f) {
		return nil
	}
	if n := fset.File(f.Pos()).LineCount(); n > MaxFile {
		c.report(rel, n, "the file has %d lines; %d is the most: split it by what its parts are for", n, MaxFile)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			c.function(rel, fset, fn)
		}
	}
	return nil
}

func (c *checker) function(rel string, fset *token.FileSet, fn *ast.FuncDecl) {
	first, last := fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
	if n := last - first + 1; n > MaxFunction {
		c.report(rel, first, "%s has %d lines; %d is the most", fn.Name.Name, n, MaxFunction)
	}
	if fn.Name.Name == "init" && fn.Recv == nil {
		c.report(rel, first, "init() runs unasked: let a constructor do it")
	}
}

func (c *checker) imports(rel string, fset *token.FileSet, f *ast.File) {
	for _, spec := range f.Imports {
		imported := strings.Trim(spec.Path.Value, "`\"")
		inside, ours := strings.CutPrefix(imported, c.module+"/")
		if !ours {
			continue
		}
		if why := refuse(path.Dir(rel), inside, strings.HasSuffix(rel, "_test.go")); why != "" {
			c.report(rel, fset.Position(spec.Pos()).Line, "imports %s: %s", imported, why)
		}
	}
}

// remember notes the package of a file; test files are not what it is read by.
func (c *checker) remember(rel string, f *ast.File) {
	if strings.HasSuffix(rel, "_test.go") {
		return
	}
	dir := path.Dir(rel)
	p := c.packages[dir]
	if p == nil {
		p = &pack{name: f.Name.Name, file: rel}
		c.packages[dir] = p
	}
	want := "Package " + f.Name.Name + " "
	if f.Name.Name == "main" {
		want = "Command "
	}
	p.commented = p.commented || strings.HasPrefix(f.Doc.Text(), want)
}

func (c *checker) packageComments() {
	for _, p := range c.packages {
		if !p.commented {
			c.report(p.file, 1, "package %s has no comment that says what it is for (// Package %s …, for a program // Command …)", p.name, p.name)
		}
	}
}

func (c *checker) report(rel string, line int, format string, args ...any) {
	c.found = append(c.found, Violation{rel, line, fmt.Sprintf(format, args...)})
}
