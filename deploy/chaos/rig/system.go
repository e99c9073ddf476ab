package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"banyan/deploy/chaos/faultnet"
)

// Route is the id of the route whose weight moves the data.
const Route = "reservations"

// Routers is how many routers work on one journal.
const Routers = 2

// Wire is a connection between two programs that can be spoilt.
type Wire struct {
	Name string
	*faultnet.Proxy
}

// System is two routers on one MariaDB, and the extracted reservations on a Redis.
type System struct {
	MariaDB, Redis, Service *Process
	Routers                 [Routers]*Process
	Public, Admin           [Routers]string // base addresses of the routers, http://…
	ServiceURL              string          // past the wires
	DSN                     string
	Wires                   []Wire // router to service, one each; service to Redis

	dir    string
	client http.Client
}

// Options say what is run and where.
type Options struct {
	Dir string // for everything that is written
	Bin string // of programs that are built already; "": they are built from the sources at Root
	// Root is the folder of go.mod.
	Root string
	Say  func(format string, args ...any)
}

// Start builds and runs everything. On an error nothing is left running. ctx bounds the
// start; Close ends what runs.
func Start(ctx context.Context, o Options) (s *System, err error) {
	s = &System{dir: o.Dir, client: http.Client{Timeout: askTimeout}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if o.Bin == "" {
		o.Bin = filepath.Join(o.Dir, "bin")
		o.Say("building the programs")
		if err := build(ctx, o); err != nil {
			return s, err
		}
	}
	o.Say("starting MariaDB and Redis")
	if err := s.servers(ctx, o.Dir); err != nil {
		return s, err
	}
	o.Say("starting two routers and the reservations service")
	if err := s.programs(ctx, o); err != nil {
		return s, err
	}
	return s, s.Healthy(ctx)
}

func build(ctx context.Context, o Options) error {
	for name, source := range map[string]string{"banyan": "./app", "banyan-reservations": "./extracted/reservations"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(o.Bin, name), source)
		cmd.Dir = o.Root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
	}
	return nil
}

func (s *System) servers(ctx context.Context, dir string) error {
	addr, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	if s.MariaDB, s.DSN, err = newMariaDB(ctx, dir, addr); err != nil {
		return err
	}
	if err := s.MariaDB.Start(ctx); err != nil {
		return err
	}
	if addr, err = freeAddr(ctx); err != nil {
		return err
	}
	if s.Redis, err = newRedis(dir, addr); err != nil {
		return err
	}
	if err := s.Redis.Start(ctx); err != nil {
		return err
	}
	return s.wire(ctx, "service-redis", addr)
}

// wire adds a proxy before an address.
func (s *System) wire(ctx context.Context, name, server string) error {
	addr, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	p, err := faultnet.Listen(context.WithoutCancel(ctx), addr, server) // Close ends it
	if err == nil {
		s.Wires = append(s.Wires, Wire{name, p})
	}
	return err
}

func (s *System) programs(ctx context.Context, o Options) error {
	service, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	s.ServiceURL = "http://" + service
	redis := s.Wires[0].Addr()
	for i := range Routers {
		if err := s.wire(ctx, fmt.Sprintf("router%d-service", i+1), service); err != nil {
			return err
		}
		if err := s.router(ctx, o, i, s.Wires[i+1].Addr()); err != nil {
			return err
		}
	}
	s.Service = newProcess(o.Dir, "service", s.asks(s.ServiceURL+"/ping"), filepath.Join(o.Bin, "banyan-reservations"),
		"--listen", service, "--redis-addr", redis, "--flights-url", s.Public[0], "--log-level", "warn")
	return s.Service.Start(ctx)
}

func (s *System) router(ctx context.Context, o Options, i int, service string) error {
	public, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	admin, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("router%d", i+1)
	file := filepath.Join(o.Dir, name+".yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, routesFile, service, Route), 0o600); err != nil {
		return err
	}
	s.Public[i], s.Admin[i] = "http://"+public, "http://"+admin
	s.Routers[i] = newProcess(o.Dir, name, s.asks(s.Public[i]+"/ping"), filepath.Join(o.Bin, "banyan"), "serve", "--listen", public,
		"--admin-listen", admin, "--mysql-dsn", s.DSN, "--routes", file, "--sample-data", "--log-level", "warn")
	return s.Routers[i].Start(ctx)
}

// Limits that the routers are given. A request that they gave up can be on its way for
// about their sum.
const (
	backendTimeout = "3s"
	maxWait        = "2s"
	// InFlight is after how long nothing is left of a request whose client went away.
	InFlight = 8 * time.Second
)

const routesFile = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  reservations: { kind: http, url: "http://%s", store: reservations, health: { path: /health, interval: 200ms }, timeout: ` + backendTimeout + ` }
routes:
  - id: %s
    match:
      paths:
        - /v1/flights/{flight_id}/holds
        - /v1/flights/{flight_id}/seats
        - /v1/holds/{hold_id}/**
        - /v1/reservations/{reservation_id}/**
    stateful: { aggregate: [ "path:flight_id", "id:hold_id", "id:reservation_id" ], buckets: 10000, participant: reservations,
                pauseBudget: 500ms, maxWait: ` + maxWait + `, maxWaiters: 256, retain: 3s, maxMoves: 4 }
    backends: { monolith: 100%%, reservations: 0%% }
`

// asks makes a question whether an address answers 200.
func (s *System) asks(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := s.client.Do(req)
		if err != nil {
			return err
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %d %s", url, resp.StatusCode, body)
		}
		return nil
	}
}

// Healthy waits until every program says that it is well: their stores answer, and what
// they know of flights is up to date.
func (s *System) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for _, base := range append(s.Public[:], s.ServiceURL) {
		well := s.asks(base + "/health")
		for {
			err := well(ctx)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("not well after %s: %w", startWithin, err)
			case <-time.After(askEvery):
			}
		}
	}
	return nil
}

// Processes gives all that can be killed.
func (s *System) Processes() []*Process {
	return []*Process{s.Routers[0], s.Routers[1], s.Service, s.Redis, s.MariaDB}
}

// Close ends everything that was started, those that need others before these.
func (s *System) Close() error {
	var all error
	for _, p := range s.Processes() {
		if p != nil {
			p.Close()
		}
	}
	for _, w := range s.Wires {
		all = errors.Join(all, w.Close())
	}
	return all
}

// freeAddr finds a port below those that the system gives to connections, one of which
// might take it before the program listens.
func freeAddr(ctx context.Context) (string, error) {
	for range 200 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(9_000))
		if l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("there is no free port between 10000 and 18999")
}
