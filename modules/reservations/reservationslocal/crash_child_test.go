package reservationslocal_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
	"banyan/modules/reservations/reservationshttp"
)

// childReady begins the line in which a child tells its address.
const childReady = "listening on "

// TestCrashChild is no test: it is the service that crash tests start and kill. It does
// nothing otherwise.
func TestCrashChild(t *testing.T) {
	at, ok := storeFromEnv()
	if !ok {
		return
	}
	s, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	router := web.NewRouter()
	reservationshttp.Mount(router, s)
	server := &http.Server{Handler: router, ReadHeaderTimeout: time.Second}
	go func() { // a parent that is gone closes the pipe
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = server.Close()
	}()
	_, _ = fmt.Fprintln(os.Stdout, childReady+l.Addr().String())
	_ = server.Serve(l)
}

// child is a service in a process of its own, which can be killed and started again.
type child struct {
	t       *testing.T
	at      storeAt
	process *exec.Cmd
	client  atomic.Pointer[reservations.Service]
}

func startChild(t *testing.T, at storeAt) *child {
	t.Helper()
	c := &child{t: t, at: at}
	c.start()
	t.Cleanup(c.kill)
	return c
}

// start returns when the child listens.
func (c *child) start() {
	c.t.Helper()
	where, err := json.Marshal(c.at)
	if err != nil {
		c.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	c.process = exec.Command(self, "-test.run=^TestCrashChild$", "-test.timeout=120s")
	c.process.Env = append(os.Environ(), crashStoreEnv+"="+string(where))
	var said strings.Builder
	c.process.Stderr = &said
	out, err := c.process.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err = c.process.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), childReady); ok {
			var s reservations.Service = reservationshttp.NewClient("http://"+addr, &http.Transport{MaxIdleConnsPerHost: crashWriters})
			c.client.Store(&s)
			return
		}
		said.WriteString(lines.Text() + "\n")
	}
	_ = c.process.Wait()
	c.t.Fatalf("the service did not start:\n%s", said.String())
}

// kill ends the child as kill -9 does.
func (c *child) kill() {
	if c.process.ProcessState == nil {
		_ = c.process.Process.Kill()
		_ = c.process.Wait()
	}
}

// service is where requests go at the moment.
func (c *child) service() reservations.Service { return *c.client.Load() }
