package money_test

import (
	"testing"

	"banyan/modules/kernel/money"
)

func TestParseAndFormat(t *testing.T) {
	for _, c := range []struct {
		amount, currency string
		minor            int64
	}{
		{"129.90", "EUR", 12990},
		{"0.05", "USD", 5},
		{"0.00", "USD", 0},
		{"12900", "JPY", 12900},
		{"0", "JPY", 0},
		{"1.250", "KWD", 1250},
		{"0.001", "KWD", 1},
		{"10000000000.00", "USD", money.Max},
	} {
		minor, err := money.Parse(c.amount, c.currency)
		if err != nil || minor != c.minor {
			t.Errorf("Parse(%s %s) = %d, %v; want %d", c.amount, c.currency, minor, err, c.minor)
		}
		if got := money.Format(c.minor, c.currency); got != c.amount {
			t.Errorf("Format(%d %s) = %s; want %s", c.minor, c.currency, got, c.amount)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"129.9", "EUR"},
		{"129", "EUR"},
		{"129.900", "EUR"},
		{"129.", "EUR"},
		{".90", "EUR"},
		{"", "EUR"},
		{"1.0", "JPY"},
		{"1.", "JPY"},
		{"1.25", "KWD"},
		{"-1.00", "EUR"},
		{"+1.00", "EUR"},
		{"1e2", "JPY"},
		{"01.00", "EUR"},
		{"1,00", "EUR"},
		{" 1.00", "EUR"},
		{"١.٠٠", "EUR"},
		{"10000000000.01", "USD"},
		{"99999999999999999999.00", "USD"},
		{"1.00", "EURO"},
		{"1.00", "eur"},
		{"1.00", "XXX"},
		{"1.00", "R US"},
		{"1", ""},
	} {
		if minor, err := money.Parse(c[0], c[1]); err == nil {
			t.Errorf("Parse(%q, %q) = %d; want an error", c[0], c[1], minor)
		}
	}
}
