// Package money reads and writes amounts: whole minor units inside, decimal strings
// with the currency's own number of decimals outside (ISO 4217), never a float.
package money

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Max is the largest amount, in minor units.
const Max = 1_000_000_000_000

// The active currencies of ISO 4217 by their decimals; metals, funds' and test codes
// are left out.
const (
	none  = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF "
	two   = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG "
	three = " BHD IQD JOD KWD LYD OMR TND "
)

// Decimals gives a currency's number of decimals; ok is false for a code that is not an
// active currency's.
func Decimals(currency string) (n int, ok bool) {
	if len(currency) != 3 || strings.Contains(currency, " ") {
		return 0, false
	}
	code := " " + currency + " "
	switch {
	case strings.Contains(two, code):
		return 2, true
	case strings.Contains(none, code):
		return 0, true
	case strings.Contains(three, code):
		return 3, true
	}
	return 0, false
}

// Parse reads an amount that has exactly its currency's decimals, such as 129.90 in
// EUR, 12900 in JPY, 1.250 in KWD, as minor units from 0 to Max.
func Parse(amount, currency string) (int64, error) {
	decimals, ok := Decimals(currency)
	if !ok {
		return 0, fmt.Errorf("%+.20q is not an ISO 4217 currency", currency)
	}
	whole, fraction, point := strings.Cut(amount, ".")
	switch {
	case decimals == 0 && point:
		return 0, fmt.Errorf("an amount in %s has no decimals", currency)
	case decimals > 0 && len(fraction) != decimals:
		return 0, fmt.Errorf("an amount in %s has %d decimals", currency, decimals)
	case whole == "" || len(whole) > 1 && whole[0] == '0' || strings.Trim(whole+fraction, "0123456789") != "":
		return 0, errors.New("an amount is digits and a point, such as 129.90, without a sign")
	}
	minor, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || minor > Max {
		return 0, fmt.Errorf("an amount is at most %s", Format(Max, currency))
	}
	return minor, nil
}

// Format writes minor units as Parse reads them. An unknown currency has two decimals.
func Format(minor int64, currency string) string {
	decimals, ok := Decimals(currency)
	if !ok {
		decimals = 2
	}
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	digits := strconv.FormatInt(minor, 10)
	if decimals == 0 {
		return sign + digits
	}
	if short := decimals + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	return sign + digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
}
