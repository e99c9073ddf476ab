package sqldb

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// sqliteOnly begins a line of a migration that is a comment to MySQL and a line of SQL
// to SQLite, for what has no spelling that both accept.
const sqliteOnly = "-- sqlite: "

// unmarked gives SQLite the lines that are meant for it alone.
type unmarked struct{ fs.FS }

// Open implements fs.FS.
func (u unmarked) Open(name string) (fs.File, error) {
	f, err := u.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &unmarkedFile{File: f, text: bytes.NewReader(bytes.ReplaceAll(text, []byte(sqliteOnly), nil))}, nil
}

type unmarkedFile struct {
	fs.File
	text *bytes.Reader
}

func (f *unmarkedFile) Read(b []byte) (int, error) { return f.text.Read(b) }
