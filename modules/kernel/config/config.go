// Package config reads settings from flags and from BANYAN_… environment variables, and
// reports everything that is wrong with them at once. A flag wins over a variable. A
// secret can also come from a file, and is never printed.
package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/errs"
)

// Prefix of every environment variable of ours; those under testPrefix are for tests.
const (
	Prefix     = "BANYAN_"
	testPrefix = "BANYAN_TEST_"
)

const (
	secretNote  = "banyan_secret"
	fileSuffix  = "-file"
	maxSecret   = 16 << 10 // bytes of a secret's file
	notAnEnvVar = "help"
)

// Secret defines a string flag whose value is never shown, and its twin NAME-file, which
// names a file that holds it.
func Secret(fs *pflag.FlagSet, name, usage string) *string {
	v := fs.String(name, "", usage)
	fs.String(name+fileSuffix, "", "file that holds --"+name)
	fs.Lookup(name).Annotations = map[string][]string{secretNote: {"true"}}
	return v
}

// Problems gathers everything that is wrong before anything starts.
type Problems struct {
	list   []string
	unsafe int // how many of them are refusals to endanger data
}

// Add notes a problem: the setting's name, what is wrong and what to do.
func (p *Problems) Add(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(p.list, line) {
		p.list = append(p.list, line)
	}
}

// AddUnsafe notes settings that are well-formed but would lose or split data.
func (p *Problems) AddUnsafe(format string, args ...any) {
	before := len(p.list)
	p.Add(format, args...)
	p.unsafe += len(p.list) - before
}

// Err gives all problems as one error, or nil: errs.Unsafe when nothing but safety
// speaks against the settings, else errs.Invalid.
func (p *Problems) Err() error {
	code := errs.Invalid
	if p.unsafe == len(p.list) {
		code = errs.Unsafe
	}
	switch len(p.list) {
	case 0:
		return nil
	case 1:
		return errs.E(code, "%s", p.list[0])
	}
	return errs.E(code, "%d settings are wrong:\n  - %s", len(p.list), strings.Join(p.list, "\n  - "))
}

// lenient keeps a value that does not parse for the report instead of ending the
// parsing at it.
type lenient struct {
	pflag.Value
	wrong string
	bad   bool
}

func (l *lenient) Set(s string) error {
	l.bad, l.wrong = false, ""
	if l.Value.Set(s) != nil {
		l.bad, l.wrong = true, s
	}
	return nil
}

// Defer makes every flag of fs defined so far keep bad values for Load to report. Call
// it after the flags are defined and before they are parsed.
func Defer(fs *pflag.FlagSet) {
	fs.VisitAll(func(f *pflag.Flag) {
		if _, done := f.Value.(*lenient); !done {
			f.Value = &lenient{Value: f.Value}
		}
	})
}

// Load fills the flags of fs that the command line left out from environ, in the form of
// os.Environ, and reads the files of secrets. Variables that belong to no flag of fs and
// to no name in others are problems.
func Load(fs *pflag.FlagSet, environ []string, others []string, p *Problems) {
	Defer(fs)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, Prefix) && !strings.HasPrefix(name, testPrefix) {
			fromEnvironment(fs, name, value, others, p)
		}
	}
	fs.VisitAll(func(f *pflag.Flag) {
		if l, ok := f.Value.(*lenient); ok && l.bad {
			p.Add("--%s: %s is not %s", f.Name, shown(f, l.wrong), kind(f.Value.Type()))
		}
	})
	fs.VisitAll(func(f *pflag.Flag) {
		if isSecret(f) {
			fromFile(fs, f, p)
		}
	})
}

// FlagName is the flag that a variable sets: BANYAN_DATA_DIR is data-dir.
func FlagName(variable string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, Prefix)), "_", "-")
}

// Variable is the variable that sets a flag.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func fromEnvironment(fs *pflag.FlagSet, name, value string, others []string, p *Problems) {
	flag := FlagName(name)
	f := fs.Lookup(flag)
	switch {
	case name != Variable(flag) || flag == notAnEnvVar || (f == nil && !slices.Contains(others, flag)):
		p.Add("%s: there is no such setting%s", name, nearest(fs, flag, others))
	case f == nil || f.Changed:
	case value == "" && f.Value.Type() != "string":
		p.Add("%s is empty; give it a value or unset it", name)
	default:
		_ = fs.Set(flag, value) // what does not parse is kept for the report
	}
}

func fromFile(fs *pflag.FlagSet, f *pflag.Flag, p *Problems) {
	file := fs.Lookup(f.Name + fileSuffix)
	if file == nil || file.Value.String() == "" {
		return
	}
	if f.Value.String() != "" {
		p.Add("--%s and --%s are both set; keep one", f.Name, file.Name)
		return
	}
	text, err := readSecret(file.Value.String())
	switch {
	case err != nil:
		p.Add("--%s: %v", file.Name, err)
	case text == "":
		p.Add("--%s: the file %s is empty", file.Name, file.Value.String())
	default:
		_ = f.Value.Set(text)
	}
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("the file %s is larger than %d bytes", path, maxSecret)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func isSecret(f *pflag.Flag) bool { return f.Annotations[secretNote] != nil }

func shown(f *pflag.Flag, value string) string {
	if isSecret(f) {
		return "the value (not shown)"
	}
	return fmt.Sprintf("%q", value)
}

// kind says what a flag's type takes.
func kind(flagType string) string {
	switch flagType {
	case "int", "int64", "uint", "uint64", "count":
		return "a whole number"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration such as 500ms, 2s or 1m"
	case "stringSlice", "stringArray":
		return "a comma-separated list"
	}
	return "a " + flagType
}

// nearest suggests a setting whose name differs in little.
func nearest(fs *pflag.FlagSet, flag string, others []string) string {
	names := slices.Clone(others)
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	best, least := "", 3
	for _, name := range names {
		if d := distance(flag, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return "; see --help for those there are"
	}
	return "; did you mean " + Variable(best) + "?"
}

// distance is Levenshtein's, of short names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
