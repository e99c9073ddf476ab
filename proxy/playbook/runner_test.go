package playbook_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/proxy/playbook"
)

// desk is a runner with a journal and a folder.
type desk struct {
	*playbook.Runner
	store *playbook.Store
	dir   string
	shown bytes.Buffer
	yes   bool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{store: newStore(t, dbtest.SQLite(t)), dir: t.TempDir()}
	d.Runner = &playbook.Runner{
		Journal: d.store, Out: &d.shown, Actor: "ada",
		Environ: []string{"PATH=" + os.Getenv("PATH"), "DIR=" + d.dir, "MY_TOKEN=hush-hush"},
		Confirm: func(context.Context, string) (bool, error) { return d.yes, nil },
	}
	return d
}

func parse(t *testing.T, text string) *playbook.Page {
	t.Helper()
	p, err := playbook.Parse("move.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run carries out an order and wants a code.
func (d *desk) run(t *testing.T, o playbook.Order, code errs.Code) playbook.Run {
	t.Helper()
	s, err := d.Start(t.Context(), o)
	var r playbook.Run
	if err == nil {
		r, err = s.Go(t.Context())
	}
	if errs.CodeOf(err) != code {
		t.Fatalf("%v, not %s\n%s", err, code, d.shown.String())
	}
	return r
}

// log gives what blocks have written into the file log.
func (d *desk) log() string {
	text, _ := os.ReadFile(filepath.Join(d.dir, "log"))
	return strings.Join(strings.Fields(string(text)), " ")
}

func (d *desk) put(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

const trip = "# Trip\n```sh\nexport WHO=${WHO:-ada}\nOTHER=lost\n[ ! -e $DIR/never ]\n```\n" +
	"```sh\nls $DIR\n```\n**Abort if** `alarm`\n" +
	"## 1. One\n```sh\necho one-$WHO-${OTHER:-} >>$DIR/log\nexport LATER=x\n```\n" +
	"## 2. Two\n```sh\necho two$LATER >>$DIR/log; ls $DIR; echo token=abc $MY_TOKEN\n```\n**Expect** `ready`\n" +
	"## 3. Three\n**By hand**: look.\n\n```sh\necho three >>$DIR/log\n```\n" +
	"## The way back\n```sh\necho back-$WHO >>$DIR/log\n```\n"

// TestRun: a run stops at each surprise with the code that is due, and goes on where it was.
func TestRun(t *testing.T) {
	d, page := newDesk(t), parse(t, trip)
	r := d.run(t, playbook.Order{Page: page, Set: map[string]string{"WHO": "bob"}}, errs.VerdictFailed)
	last := r.Steps[len(r.Steps)-1]
	if d.log() != "one-bob- twox" || r.State != playbook.Stopped || last.Step != "2" || last.State != playbook.Failed || !strings.Contains(last.Detail, "ready") {
		t.Fatalf("log %q, run %+v", d.log(), r)
	}
	if strings.Contains(last.Output, "hush") || strings.Contains(last.Output, "abc") || !strings.Contains(last.Output, "token=**** ****") {
		t.Errorf("the journal has %q", last.Output)
	}
	if r.Variables["WHO"] != "bob" || r.Variables["LATER"] != "x" || r.Variables["DIR"] != "" {
		t.Errorf("variables %v", r.Variables)
	}
	d.put(t, "alarm")
	d.put(t, "ready")
	d.run(t, playbook.Order{Page: page, Resume: r.ID}, errs.VerdictFailed) // the rule, before anything else
	if d.log() != "one-bob- twox" {
		t.Errorf("the rule comes late: %s", d.log())
	}
	_ = os.Remove(filepath.Join(d.dir, "alarm"))
	d.run(t, playbook.Order{Page: page, Resume: r.ID}, errs.PreconditionFailed) // by hand, nobody there
	d.yes = true
	r = d.run(t, playbook.Order{Page: page, Resume: r.ID}, "")
	if d.log() != "one-bob- twox twox three" || r.State != playbook.Done {
		t.Errorf("log %q, run %+v", d.log(), r)
	}
	r = d.run(t, playbook.Order{Page: page, Resume: r.ID, Back: true}, "")
	if !strings.HasSuffix(d.log(), "three back-bob") || r.State != playbook.Done || !r.Back {
		t.Errorf("log %q, run %+v", d.log(), r)
	}
}

func TestRunFrom(t *testing.T) {
	d, page := newDesk(t), parse(t, trip)
	r := d.run(t, playbook.Order{Page: page, From: "3"}, errs.PreconditionFailed)
	d.yes = true
	if r = d.run(t, playbook.Order{Page: page, Resume: r.ID}, ""); d.log() != "three" || r.State != playbook.Done {
		t.Errorf("log %q, run %+v", d.log(), r)
	}
	d.put(t, "never")
	r = d.run(t, playbook.Order{Page: page}, errs.PreconditionFailed)
	changed := parse(t, trip+"\nMore.\n")
	d.run(t, playbook.Order{Page: changed, Resume: r.ID}, errs.Unsafe)
	d.run(t, playbook.Order{Page: changed, Resume: r.ID, AcceptChanged: true}, errs.PreconditionFailed)
	for name, o := range map[string]playbook.Order{
		"unknown step":     {Page: page, From: "9"},
		"unknown variable": {Page: page, Set: map[string]string{"PATH": "/x"}},
		"no way back":      {Page: parse(t, "# T\n## 1. One\n"+fenced("true")), Back: true},
		"both":             {Page: page, From: "1", Back: true},
	} {
		if _, err := d.Start(t.Context(), o); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBounds: a block that takes too long, or leaves something behind, does not outlive
// its step, and whoever stops a run stops its block.
func TestBounds(t *testing.T) {
	d := newDesk(t)
	r := d.run(t, playbook.Order{Page: parse(t, "# T\n## 1. One\n"+fenced("sleep 600 & wait")+"**Within** `300ms`\n")}, errs.VerdictFailed)
	if !strings.Contains(r.Steps[0].Detail, "did not end within") {
		t.Errorf("the run is %+v", r)
	}
	left := "# T\n## 1. One\n" + fenced("(while sleep 0.05; do echo x >>$DIR/log; done) >/dev/null 2>&1 &\nsleep 0.3")
	d.run(t, playbook.Order{Page: parse(t, left), Anew: true}, "")
	before := d.log()
	time.Sleep(300 * time.Millisecond)
	if before == "" || d.log() != before {
		t.Errorf("what a block left behind goes on: %q, then %q", before, d.log())
	}
	s, err := d.Start(t.Context(), playbook.Order{Page: parse(t, "# T\n## 1. One\n"+fenced("touch $DIR/begun; sleep 600"))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 1000 {
			if _, err := os.Stat(filepath.Join(d.dir, "begun")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	r, err = s.Go(ctx)
	if errs.CodeOf(err) != errs.Unavailable || r.State != playbook.Stopped || r.Steps[0].State != playbook.Stopped {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestTakeOver: a runner whose run is taken stops by itself.
func TestTakeOver(t *testing.T) {
	d, page := newDesk(t), parse(t, "# T\n## 1. One\n"+fenced("touch $DIR/begun; [ -e $DIR/go ] || sleep 600"))
	s, err := d.Start(t.Context(), playbook.Order{Page: page})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := s.Go(t.Context()); ended <- err }()
	d.awaitFile(t, "begun")
	other := &playbook.Runner{Journal: d.store, Out: &bytes.Buffer{}, Environ: d.Environ, Actor: "bob", Confirm: d.Confirm}
	if _, err := other.Start(t.Context(), playbook.Order{Page: page, Resume: s.ID()}); errs.CodeOf(err) != errs.PreconditionFailed {
		t.Errorf("while it runs: %v", err)
	}
	d.put(t, "go")
	second, err := other.Start(t.Context(), playbook.Order{Page: page, Resume: s.ID(), TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; errs.CodeOf(err) != errs.PreconditionFailed {
		t.Errorf("the first runner ends with %v", err)
	}
	if r, err := second.Go(t.Context()); err != nil || r.State != playbook.Done || r.Actor != "bob" {
		t.Errorf("%v, %+v", err, r)
	}
}

func (d *desk) awaitFile(t *testing.T, name string) {
	t.Helper()
	for range 3000 {
		if _, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the block does not begin")
}
