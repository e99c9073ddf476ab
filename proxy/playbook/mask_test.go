package playbook

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	environ := []string{"ADMIN_TOKEN=abcdef", "BANYAN_MYSQL_DSN=u:pw1@tcp(h)/x", "HOME=/home", "DB_PASSWORD_FILE=/secrets/db", "PIN_SECRET=1"}
	for text, want := range map[string]string{
		"it is abcdef here":              "it is **** here",
		"Authorization: Bearer x.y-z":    "Authorization: Bearer ****",
		`{"token":"t0p","a":"b"}`:        `{"token":"****","a":"b"}`,
		"password=hunter2 next":          "password=**** next",
		"http://ann:pw@host/x":           "http://ann:****@host/x",
		"root:hush@tcp(127.0.0.1)/b":     "root:****@tcp(127.0.0.1)/b",
		"u:pw1@tcp(h)/x":                 "****",
		"see /secrets/db of /home, at 1": "see /secrets/db of /home, at 1",
	} {
		if got := mask(text, environ); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
	if got := visible("a\x1b[31mb\nc\td\x00"); got != "a[31mb\nc\td" {
		t.Errorf("visible gives %q", got)
	}
	if got := tail(strings.Repeat("x", 30)+"\nlast\nlines\n", 12); got != "last\nlines" {
		t.Errorf("tail gives %q", got)
	}
}
