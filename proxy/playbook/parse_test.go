package playbook_test

import (
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/playbook"
)

// fenced makes a block of sh.
func fenced(commands string) string { return "```sh\n" + commands + "\n```\n" }

func TestParse(t *testing.T) {
	text := "# Move\nprose\n" + fenced("export A=${A:-1}\nexport B=${B:?a thing}\nexport C=$(date)") + "**Expect** `x` · `y|z`\n" +
		fenced("look") + "**Abort if** `bad`\n**Within** `7s`\n" +
		"## Why\n```text\n## 9. no heading\n```\n" +
		"## 1. One\n" + fenced("do it") + "\n**Within** `10m`\n**Expect** ``a `b` c``\nand text\n" + fenced("more") +
		"## 2. Two\n**By hand**: replace\nthe disk.\n\nnot this\n" +
		"## 3. The way back\n" + fenced("undo")
	p, err := playbook.Parse("dir/move.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.Actions {
		got = append(got, a.ID)
	}
	if s := strings.Join(got, " "); s != "need 1 1b 2 way-back" || p.Name != "move" || p.Title != "Move" || len(p.Digest) != 64 {
		t.Errorf("%s of %+v", s, p)
	}
	if s := strings.Join(p.Variables, " "); s != "A B" {
		t.Errorf("variables %s", s)
	}
	one := p.Of(playbook.Steps)[0]
	if one.Within != 10*time.Minute || len(one.Expect) != 1 || one.Expect[0].String() != "a `b` c" || one.Commands != "do it\n" || one.Title != "One" {
		t.Errorf("step 1 is %+v", one)
	}
	if two := p.Of(playbook.Steps)[2]; two.ByHand != "replace the disk." {
		t.Errorf("step 2 is %+v", two)
	}
	if len(p.Abort) != 1 || p.Abort[0].Within != 7*time.Second || len(p.Abort[0].Abort) != 1 || p.Of(playbook.Need)[0].Within != playbook.DefaultWithin {
		t.Errorf("rules %+v", p.Abort)
	}
}

// TestMistakes: each is told with its line.
func TestMistakes(t *testing.T) {
	const good = "# T\n## 1. One\n"
	for name, c := range map[string]struct{ file, text, want string }{
		"no title":        {"p.md", "## 1. One\n" + fenced("a"), "p.md:1: the page has no title"},
		"no steps":        {"p.md", "# T\n" + fenced("a"), "p.md:1: the page has no steps"},
		"empty step":      {"p.md", good + "## 2. Two\n" + fenced("a"), `p.md:2: nothing is done below "One"`},
		"wrong number":    {"p.md", good + fenced("a") + "## 3. Two\n" + fenced("a"), "p.md:6: step 3 comes after step 1"},
		"no number":       {"p.md", good + fenced("a") + "## Two\n" + fenced("a"), `p.md:9: a block of sh stands below "Two"`},
		"open block":      {"p.md", good + "```sh\na\n", "has no end"},
		"empty block":     {"p.md", good + fenced(" "), "p.md:5: it has no commands"},
		"bad expression":  {"p.md", good + fenced("a") + "**Expect** `(`\n", "p.md:6: \"(\" is no regular expression"},
		"no expression":   {"p.md", good + fenced("a") + "**Expect** nothing\n", "p.md:6: write what is meant between"},
		"far expectation": {"p.md", good + fenced("a") + "text\n**Expect** `a`\n", "p.md:7: it must stand directly below"},
		"unknown word":    {"p.md", good + fenced("a") + "**Expects** `a`\n", `p.md:6: "**Expects**" is no word`},
		"no time":         {"p.md", good + fenced("a") + "**Within** `soon`\n", "p.md:6: \"soon\" is no time"},
		"too long":        {"p.md", good + fenced("a") + "**Within** `25h`\n", "p.md:6: \"25h\" is no time"},
		"step after back": {"p.md", good + fenced("a") + "## Way back\n" + fenced("b") + "## 2. Two\n" + fenced("a"), "p.md:10: a step comes after the way back"},
		"name":            {"My Page.md", good + fenced("a"), "My Page.md:1: the file's name"},
		"size":            {"p.md", good + strings.Repeat("x", playbook.MaxPage), "at most 262144 bytes"},
	} {
		_, err := playbook.Parse(c.file, []byte(c.text))
		if errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %s", name, err, c.want)
		}
	}
}
