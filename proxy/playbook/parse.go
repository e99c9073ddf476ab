package playbook

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
)

// What a page's lines may be.
var (
	pageName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	heading  = regexp.MustCompile(`^##\s+(.*)$`)
	numbered = regexp.MustCompile(`^(\d+)\.\s+(.*)$`)
	wayBack  = regexp.MustCompile(`(?i)^(the )?way back\b`)
	code     = regexp.MustCompile("``(.+?)``|`([^`]+)`")
	marker   = regexp.MustCompile(`(?i)^\*\*(expect\w*|abort\w*(?: \w+)?|within|by hand|manual\w*):?\*\*:?`)
)

// The words that mean something to the runner.
const (
	expectMark = "**Expect**"
	abortMark  = "**Abort if**"
	withinMark = "**Within**"
	handMark   = "**By hand**"
)

// Parse reads a page; file is what it is called. errs: Invalid, with a line "file:line:
// what is wrong" for every mistake.
func Parse(file string, text []byte) (*Page, error) {
	p := &parser{page: &Page{Name: NameOf(file), File: file, Digest: digest(text)}, part: Need}
	if !pageName.MatchString(p.page.Name) {
		p.wrong(1, "the file's name must be of small letters, digits and -, such as extract-flights.md")
	}
	if len(text) > MaxPage {
		return nil, errs.E(errs.Invalid, "%s: a playbook has at most %d bytes; this one has %d", file, MaxPage, len(text))
	}
	for i, line := range strings.Split(string(text), "\n") {
		p.line(i+1, strings.TrimSuffix(line, "\r"))
	}
	p.end()
	if len(p.problems) > 0 {
		return nil, errs.E(errs.Invalid, "%s", strings.Join(p.problems, "\n"))
	}
	return p.page, nil
}

type parser struct {
	page     *Page
	part     Part
	title    string // of the heading
	number   int    // of the step
	begun    int    // the line of the heading
	count    int    // of actions below the heading
	prose    bool   // below a heading without a number
	fenced   bool   // inside a block, of whatever language
	block    *Action
	last     bool // the line above belongs to the action that was filed last
	hand     bool // the line above tells what to do by hand
	rule     bool // the block above turned out to be a rule
	problems []string
}

func (p *parser) wrong(line int, format string, args ...any) {
	const most = 20
	if len(p.problems) < most {
		p.problems = append(p.problems, fmt.Sprintf("%s:%d: %s", p.page.File, line, fmt.Sprintf(format, args...)))
	}
}

func (p *parser) line(n int, line string) {
	text := strings.TrimSpace(line)
	switch {
	case p.fenced:
		p.inside(n, line)
	case strings.HasPrefix(line, "```"):
		p.fenced, p.hand, p.last = true, false, false
		p.block = nil
		if strings.TrimSpace(line[3:]) == "sh" {
			p.block = &Action{Line: n + 1, Within: DefaultWithin}
		}
	case strings.HasPrefix(line, "# ") && p.page.Title == "":
		p.page.Title = strings.TrimSpace(line[2:])
	case heading.MatchString(line):
		p.heading(n, heading.FindStringSubmatch(line)[1])
	case text == "":
		p.hand = false
	case marker.MatchString(text):
		p.mark(n, text)
	case p.hand:
		a := &p.page.Actions[len(p.page.Actions)-1]
		a.ByHand += " " + text
	default:
		p.last = false // text between a block and what is expected of it
	}
}

// inside reads a line of a fenced block.
func (p *parser) inside(n int, line string) {
	switch {
	case strings.TrimSpace(line) == "```":
		p.fenced = false
		if p.block != nil {
			p.file(n, *p.block)
			p.last, p.rule = true, false
		}
	case p.block != nil:
		p.block.Commands += line + "\n"
	}
}

func (p *parser) heading(n int, text string) {
	p.finishStep()
	p.title, p.begun, p.count, p.prose, p.last, p.hand = text, n, 0, false, false, false
	if m := numbered.FindStringSubmatch(text); m != nil {
		p.title = m[2]
		number, _ := strconv.Atoi(m[1])
		if number != p.number+1 {
			p.wrong(n, "step %d comes after step %d; number the headings from 1 on", number, p.number)
		}
		p.number = number
	} else if !wayBack.MatchString(text) {
		p.prose = true
		return
	}
	switch {
	case wayBack.MatchString(p.title):
		p.part = Back
	case p.part == Back:
		p.wrong(n, "a step comes after the way back; put the way back last")
	default:
		p.part = Steps
	}
}

// finishStep looks at what stands below the heading that ends here.
func (p *parser) finishStep() {
	if p.begun > 0 && !p.prose && p.count == 0 {
		p.wrong(p.begun, "nothing is done below %q; give it a block of sh, or say with %s what a person does", p.title, handMark)
	}
}

// file adds an action below the current heading.
func (p *parser) file(n int, a Action) {
	if a.Commands != "" && strings.TrimSpace(a.Commands) == "" || a.Commands == "" && a.ByHand == "" {
		p.wrong(n, "it has no commands")
	}
	if p.prose {
		p.wrong(n, "a block of sh stands below %q, which is no step; number that heading, or call the block text", p.title)
	}
	if len(p.page.Actions) == maxActions {
		p.wrong(n, "a page has at most %d blocks; make two of it", maxActions)
	}
	a.Part, a.Title, a.ID = p.part, p.title, id(p.part, p.number, p.count)
	if p.part == Need {
		a.Title = "What must be so"
	}
	p.count++
	p.page.Actions = append(p.page.Actions, a)
}

// id is 3, 3b, 3c … in steps, and need, need-b … elsewhere.
func id(part Part, number, count int) string {
	suffix := ""
	if count > 0 {
		suffix = string(rune('a' + min(count, 25)))
	}
	if part == Steps {
		return strconv.Itoa(number) + suffix
	}
	return strings.TrimSuffix(string(part)+"-"+suffix, "-")
}

// mark reads a line that begins with a word for the runner.
func (p *parser) mark(n int, text string) {
	if what, ok := strings.CutPrefix(text, handMark); ok {
		p.file(n, Action{Line: n, ByHand: strings.TrimSpace(strings.TrimPrefix(what, ":")), Within: maxWithin})
		p.last, p.hand = false, true
		return
	}
	if !strings.HasPrefix(text, expectMark) && !strings.HasPrefix(text, abortMark) && !strings.HasPrefix(text, withinMark) {
		p.wrong(n, "%q is no word of a playbook; there are %s, %s, %s and %s", marker.FindString(text), expectMark, abortMark, withinMark, handMark)
		return
	}
	if !p.last {
		p.wrong(n, "it must stand directly below a block of sh")
		return
	}
	var codes []string
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		codes = append(codes, m[1]+m[2])
	}
	if len(codes) == 0 {
		p.wrong(n, "write what is meant between `backticks`")
		return
	}
	if strings.HasPrefix(text, withinMark) {
		p.within(n, codes)
		return
	}
	p.patterns(n, codes, strings.HasPrefix(text, abortMark))
}

// above is the action that the line is about.
func (p *parser) above() *Action {
	if p.rule {
		return &p.page.Abort[len(p.page.Abort)-1]
	}
	return &p.page.Actions[len(p.page.Actions)-1]
}

func (p *parser) within(n int, codes []string) {
	d, err := time.ParseDuration(codes[0])
	if err != nil || len(codes) > 1 || d <= 0 || d > maxWithin {
		p.wrong(n, "%q is no time such as 30s or 10m, at most %s", codes[0], maxWithin)
		return
	}
	p.above().Within = d
}

func (p *parser) patterns(n int, codes []string, abort bool) {
	if abort && !p.rule { // the block is a rule, not a step
		last := len(p.page.Actions) - 1
		a := p.page.Actions[last]
		p.page.Actions = p.page.Actions[:last]
		p.count--
		a.ID = "abort"
		if len(p.page.Abort) > 0 {
			a.ID = fmt.Sprintf("abort-%d", len(p.page.Abort)+1)
		}
		p.page.Abort = append(p.page.Abort, a)
		p.rule = true
	}
	a := p.above()
	for _, text := range codes {
		pattern, err := regexp.Compile(text)
		switch {
		case err != nil:
			p.wrong(n, "%q is no regular expression: %v", text, err)
		case abort:
			a.Abort = append(a.Abort, pattern)
		default:
			a.Expect = append(a.Expect, pattern)
		}
	}
}

// end looks at the page as a whole.
func (p *parser) end() {
	if p.fenced {
		p.wrong(p.begun+1, "a block below this line has no end; close it with ```")
	}
	p.finishStep()
	if p.page.Title == "" {
		p.wrong(1, "the page has no title; begin it with # and what it does")
	}
	if len(p.page.Of(Steps)) == 0 {
		p.wrong(1, "the page has no steps; a step is a heading such as ## 1. Look, with a block of sh below it")
	}
	seen := map[string]bool{}
	for _, a := range p.page.Actions {
		if seen[a.ID] {
			p.wrong(a.Line, "there are more than 26 blocks below %q; make two steps of it", a.Title)
		}
		seen[a.ID] = true
		if a.Part == Need {
			p.page.Variables = append(p.page.Variables, a.variables()...)
		}
	}
}
