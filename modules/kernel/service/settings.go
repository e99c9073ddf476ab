package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/telemetry"
	"banyan/modules/kernel/web"
)

// Settings are those that every server has.
type Settings struct {
	Listen     *string
	LogLevel   *string
	DrainDelay *time.Duration
	TLS        *TLS
}

// maxDrainDelay bounds how long a stop may be put off.
const maxDrainDelay = 5 * time.Minute

// AddFlags defines the settings; listen is the default address.
func AddFlags(fs *pflag.FlagSet, listen string) *Settings {
	return &Settings{
		Listen:     fs.String("listen", listen, "address of the public API"),
		LogLevel:   fs.String("log-level", "info", "error, warn, info or debug"),
		DrainDelay: fs.Duration("drain-delay", 0, "how long to serve on with /health failing after SIGTERM, for balancers to notice"),
		TLS:        AddTLSFlags(fs, "", "the public API"),
	}
}

// Check judges the settings.
func (s *Settings) Check(p *config.Problems) {
	CheckAddress(p, "listen", *s.Listen)
	if _, err := logrus.ParseLevel(*s.LogLevel); err != nil {
		p.Add("--log-level %q is not one of error, warn, info, debug", *s.LogLevel)
	}
	if *s.DrainDelay < 0 || *s.DrainDelay > maxDrainDelay {
		p.Add("--drain-delay %s is not between 0s and %s", *s.DrainDelay, maxDrainDelay)
	}
	s.TLS.Check(p)
}

// ServerOptions are those of settings that have been checked.
func (s *Settings) ServerOptions() web.ServerOptions {
	return web.ServerOptions{DrainDelay: *s.DrainDelay, TLS: s.TLS.Config()}
}

// CheckKeep judges a setting of how long something is kept.
func CheckKeep(p *config.Problems, name string, keep time.Duration) {
	if keep < 0 {
		p.Add("--%s %s is negative; 0 keeps for ever", name, keep)
	}
}

// Start equips the program and takes its port, before anything is changed.
func (s *Settings) Start(ctx context.Context, name string, stderr io.Writer) (*Service, net.Listener, error) {
	svc, err := New(name, *s.LogLevel, stderr)
	if err != nil {
		return nil, nil, err
	}
	l, err := Listen(ctx, "listen", *s.Listen)
	return svc, l, err
}

// Parse reads a program's command line and environment and judges them whole. It gives
// false when there is nothing more to do: --help and --version have been answered.
func Parse(fs *pflag.FlagSet, p Process, about string, check func(*config.Problems)) (bool, error) {
	version := fs.Bool("version", false, "print the version and end")
	fs.SetOutput(io.Discard)
	config.Defer(fs)
	problems := &config.Problems{}
	switch err := fs.Parse(p.Args); {
	case errors.Is(err, pflag.ErrHelp):
		_, err = fmt.Fprintf(p.Stdout, "%s\n\n%s\n\nEvery setting is also an environment variable: --log-level is BANYAN_LOG_LEVEL.\n",
			about, strings.TrimRight(fs.FlagUsages(), "\n"))
		return false, err
	case err != nil:
		problems.Add("%v; see --help", err)
		fs.ParseErrorsAllowlist.UnknownFlags = true // read on, for the others' mistakes
		_ = fs.Parse(p.Args)
	}
	if fs.NArg() > 0 {
		problems.Add("%q is not wanted: there are only flags; see --help", fs.Arg(0))
	}
	config.Load(fs, p.Environ, nil, problems)
	if *version {
		_, err := fmt.Fprintln(p.Stdout, fs.Name(), telemetry.Version())
		return false, err
	}
	check(problems)
	return true, problems.Err()
}

// CheckAddress notes what is wrong with an address to listen on.
func CheckAddress(p *config.Problems, flag, address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		p.Add("--%s %q: use host:port, such as 127.0.0.1:8080", flag, address)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		p.Add("--%s %q: the port must be a number from 0 to 65535", flag, address)
	}
}

// CheckURL notes what is wrong with the address of another service, which may be absent.
func CheckURL(p *config.Problems, flag, address, example string) {
	if address == "" {
		return
	}
	if u, err := url.Parse(address); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		p.Add("--%s is not an address such as %s", flag, example)
	}
}

// CheckToken notes what is wrong with a bearer token, which may be absent.
func CheckToken(p *config.Problems, flag, token string) {
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			p.Add("--%s may have visible ASCII characters only", flag)
			return
		}
	}
}

// Exposed tells whether others than programs of this machine reach the listener.
func (s *Settings) Exposed() bool {
	host, _, _ := net.SplitHostPort(*s.Listen)
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.IsLoopback())
}

// Listen opens a TCP listener. errs: PreconditionFailed when the address cannot be had.
func Listen(ctx context.Context, flag, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, errs.E(errs.PreconditionFailed, "--%s %s cannot be listened on; is another program there?", flag, address).Because(err)
	}
	return l, nil
}
