package playbook

import (
	"regexp"
	"strings"
	"unicode"
)

const masked = "****"

var (
	secretName = regexp.MustCompile(`(?i)(TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|DSN|API_?KEY|PRIVATE_?KEY|AUTHORIZATION)`)
	secretFile = regexp.MustCompile(`(?i)_FILE$`)
	// What looks like a secret, whosever it is: a header, a setting, the password of an
	// address or of a DSN.
	bearer   = regexp.MustCompile(`(?i)(bearer\s+)[^\s"',;]+`)
	setting  = regexp.MustCompile(`(?i)((?:token|secret|passwo?r?d|api[_-]?key)"?\s*[:=]\s*"?)[^\s"',;&]+`)
	userinfo = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+(@)`)
	account  = regexp.MustCompile(`(\b[\w.-]+:)[^\s:@/]+(@tcp\()`)
)

// isSecret tells by its name whether a variable's value must be shown to nobody.
func isSecret(name string) bool { return secretName.MatchString(name) && !secretFile.MatchString(name) }

// mask hides the secrets of an environment, and what looks like one, in a text.
func mask(text string, environ []string) string {
	const shortest = 4 // a shorter value would hide words of the text
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if isSecret(name) && len(value) >= shortest {
			text = strings.ReplaceAll(text, value, masked)
		}
	}
	text = bearer.ReplaceAllString(text, "${1}"+masked)
	text = setting.ReplaceAllString(text, "${1}"+masked)
	text = userinfo.ReplaceAllString(text, "${1}"+masked+"${2}")
	return account.ReplaceAllString(text, "${1}"+masked+"${2}")
}

// tail gives the last lines of a text, at most n bytes.
func tail(text string, n int) string {
	text = strings.TrimRight(text, "\n")
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text
}

// visible drops what a terminal would obey instead of show.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
