package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banyan/modules/flights/optd"
	"banyan/modules/kernel/dbtest"
)

// optdFolder writes an OpenTravelData folder with 25 good routes and 25 bad ones.
func optdFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	routes := "airline_code^apt_org^apt_dst^seats_mtly_avg^freq_mtly_avg\n"
	airports := "iata\tname\tcityName\tcountryCode\ttimeZoneId\tlatitude\tlongitude\tfeatureCode\tisActive\n"
	for i := range 26 {
		code := fmt.Sprintf("AA%c", 'A'+i)
		airports += fmt.Sprintf("%s\tAirport %d\tCity\tUS\tAmerica/New_York\t%d.5\t-70\tAIRP\t1\n", code, i, 2*i)
		if i > 0 {
			routes += fmt.Sprintf("9E^AAA^%s^%d^60.5\n9E^%s^QQQ^100^1\n", code, i*600, code)
		}
	}
	for file, text := range map[string]string{
		optd.AirportsFile: airports, optd.RoutesFile: routes,
		optd.AirlinesFile: "2char_code^name^validity_from^validity_to\n9E^Endeavor Air^^\n",
		optd.AircraftFile: "iata_code^manufacturer^model^icao_code\n320^Airbus^A320^A320\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImportCommand(t *testing.T) {
	dir := optdFolder(t)
	for name, where := range map[string]func(*testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data-dir", t.TempDir()} },
		"mysql":  func(t *testing.T) []string { return []string{"--mysql-dsn", dbtest.MySQLDSN(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "left-out.txt")
			args := append([]string{"import", "optd", dir, "--days", "3", "--from", "2026-11-21", "-o", "json"}, where(t)...)
			first := runImport(t, append(args, "--report", report))
			if first.New == 0 || first.New != first.Flights || first.Sellable != first.New || first.Reasons[optd.UnknownAirport] != 25 {
				t.Errorf("%+v", first)
			}
			kept, err := os.ReadFile(report)
			if err != nil || strings.Count(string(kept), optd.RoutesFile+":") != 25 {
				t.Errorf("the report: %s, %v", kept, err)
			}
			again := runImport(t, args)
			if again.New != 0 || again.Existing != first.Flights || again.Sellable != 0 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// runImport runs the command and gives what it prints; only the result is on stdout.
func runImport(t *testing.T, args []string) imported {
	t.Helper()
	code, stdout, stderr := command(t, nil, args...)
	var result imported
	if err := json.Unmarshal([]byte(stdout), &result); err != nil || code != 0 {
		t.Fatalf("exit code %d: %v\n%s%s", code, err, stdout, stderr)
	}
	if !strings.Contains(stderr, optd.RoutesFile+":3: unknown airport") || !strings.Contains(stderr, "5 more lines") {
		t.Errorf("stderr: %s", stderr)
	}
	return result
}

func TestImportCommandRefuses(t *testing.T) {
	data := t.TempDir()
	for _, c := range []struct {
		says string
		args []string
	}{
		{"optd takes DIR", nil},
		{"--days 0", []string{data, "--days", "0"}},
		{"--from", []string{data, "--from", "21.11.2026"}},
		{"cannot be read", []string{data}},
		{"--report", []string{data, "--report", filepath.Join(data, "no", "such")}},
	} {
		code, stdout, stderr := command(t, nil, append([]string{"import", "optd", "--data-dir", data}, c.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit code %d, %s%s", c.args, code, stdout, stderr)
		}
	}
}
