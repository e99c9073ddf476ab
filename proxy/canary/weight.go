package canary

import (
	"fmt"
	"strconv"
	"strings"
)

// Weight is a share of a route's callers in basis points, 0 to Full.
type Weight int

// None and Full are the ends of the scale.
const (
	None Weight = 0
	Full Weight = Positions
)

// ParseWeight reads a percentage such as "25%" or "0.05%": 0 to 100 with two decimals
// at most, the sign included. The error says what was wrong and what to write.
func ParseWeight(s string) (Weight, error) {
	number, found := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !found {
		return 0, fmt.Errorf("%q is not a percentage: write it with its sign, such as 5%% or 0.25%%", s)
	}
	whole, decimals, dotted := strings.Cut(number, ".")
	if !digits(whole) || len(whole) > 3 || (dotted && !digits(decimals)) {
		return 0, fmt.Errorf("%q is not a percentage: write 0%% to 100%%, such as 5%% or 0.25%%", s)
	}
	if len(decimals) > 2 {
		return 0, fmt.Errorf("%q has more than two decimals: the finest step is 0.01%%", s)
	}
	w, _ := strconv.Atoi(whole + (decimals + "00")[:2]) // at most five digits: cannot fail
	if Weight(w) > Full {
		return 0, fmt.Errorf("%q is more than 100%%", s)
	}
	return Weight(w), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// String prints the weight as ParseWeight reads it, without superfluous zeros.
func (w Weight) String() string {
	whole, rest := int(w)/100, int(w)%100
	switch {
	case rest == 0:
		return strconv.Itoa(whole) + "%"
	case rest%10 == 0:
		return fmt.Sprintf("%d.%d%%", whole, rest/10)
	}
	return fmt.Sprintf("%d.%02d%%", whole, rest)
}

// Ratio is the weight between 0 and 1.
func (w Weight) Ratio() float64 { return float64(w) / float64(Full) }

// MarshalText writes the weight as String does; JSON and YAML use it.
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what ParseWeight reads.
func (w *Weight) UnmarshalText(text []byte) error {
	parsed, err := ParseWeight(string(text))
	if err != nil {
		return err
	}
	*w = parsed
	return nil
}
