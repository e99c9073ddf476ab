package playbook

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"banyan/modules/kernel/errs"
)

// Library is the pages that a program brings with it.
type Library struct{ pages map[string]*Page }

// NewLibrary reads every page at the root of a file system; README.md is none. errs:
// Invalid, with the mistakes of all of them.
func NewLibrary(files fs.FS) (*Library, error) {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		return nil, errs.E(errs.Internal, "the playbooks cannot be listed").Because(err)
	}
	l := &Library{pages: map[string]*Page{}}
	var problems []error
	for _, file := range names {
		if path.Base(file) == "README.md" {
			continue
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, errs.E(errs.Internal, "%s cannot be read", file).Because(err)
		}
		page, err := Parse(file, text)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		l.pages[page.Name] = page
	}
	return l, errors.Join(problems...)
}

// Pages gives all pages by name.
func (l *Library) Pages() []*Page {
	var list []*Page
	for _, name := range slices.Sorted(maps.Keys(l.pages)) {
		list = append(list, l.pages[name])
	}
	return list
}

// Page gives a page. errs: NotFound.
func (l *Library) Page(name string) (*Page, error) {
	if p := l.pages[name]; p != nil {
		return p, nil
	}
	return nil, errs.E(errs.NotFound, "there is no playbook %s; see banyan playbook list, or name a file such as ./%s.md", name, name)
}
