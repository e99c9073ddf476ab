// Package playbook runs pages: Markdown that a person reads and follows by hand, whose
// blocks of commands a Runner types instead. It looks at what each block shows, stops at
// the first surprise, and notes every block in a Journal, so that a run can be stopped
// anywhere and resumed from any machine.
//
// The format is described in docs/playbooks/README.md. A run has at most one runner: each
// resumption has a number of its own, and the journal refuses what is noted under an
// older one.
package playbook

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Part says where in a page an action stands.
type Part string

// The parts of a page, in the order in which they stand.
const (
	Need  Part = "need"     // before the first heading: what must be so before anything changes
	Steps Part = "steps"    // under the numbered headings
	Back  Part = "way-back" // under the heading of the way back: run only when asked for
)

// Bounds of a page.
const (
	MaxPage    = 256 << 10 // bytes
	maxActions = 200
	maxWithin  = 24 * time.Hour
	// DefaultWithin is how long a block may take unless its page says otherwise.
	DefaultWithin = 5 * time.Minute
)

// Page is a playbook that was read.
type Page struct {
	Name   string // of the file, without .md
	File   string // as it was named
	Title  string
	Digest string // SHA-256 of its text, in hex
	// Variables may be set from outside; the page gives them with ${NAME:-…} or ${NAME:?…}.
	Variables []string
	Actions   []Action // of all parts, in the page's order
	Abort     []Action // looked at after every action of the steps
}

// Action is a block of commands, or something to be done by hand.
type Action struct {
	ID       string // need, 1, 1b, way-back: what --from and the journal call it
	Part     Part
	Title    string // of its heading
	Line     int    // of the page, from 1
	Commands string // "" when it is by hand
	ByHand   string // what a person has to do
	Expect   []*regexp.Regexp
	Abort    []*regexp.Regexp // of a rule: any of them ends the run
	Within   time.Duration
}

// Of gives the actions of a part, in order.
func (p *Page) Of(part Part) []Action {
	var list []Action
	for _, a := range p.Actions {
		if a.Part == part {
			list = append(list, a)
		}
	}
	return list
}

// Has tells whether one of the page's steps has this id.
func (p *Page) Has(id string) bool {
	return slices.ContainsFunc(p.Of(Steps), func(a Action) bool { return a.ID == id })
}

// exported names what a block exports at the beginning of a line.
var (
	exported = regexp.MustCompile(`(?m)^\s*export\s+([A-Za-z_][A-Za-z0-9_]*)`)
	declared = regexp.MustCompile(`(?m)^\s*export\s+([A-Za-z_][A-Za-z0-9_]*)="?\$\{([A-Za-z_][A-Za-z0-9_]*):[-?]`)
)

// exports lists the names that the block exports: these alone reach later blocks.
func (a Action) exports() []string {
	var names []string
	for _, m := range exported.FindAllStringSubmatch(a.Commands, -1) {
		names = append(names, m[1])
	}
	return names
}

// variables lists what a block lets be set from outside.
func (a Action) variables() []string {
	var names []string
	for _, m := range declared.FindAllStringSubmatch(a.Commands, -1) {
		if m[1] == m[2] {
			names = append(names, m[1])
		}
	}
	return names
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// NameOf gives a page's name from that of its file.
func NameOf(file string) string {
	if i := strings.LastIndexAny(file, `/\`); i >= 0 {
		file = file[i+1:]
	}
	return strings.TrimSuffix(file, ".md")
}
