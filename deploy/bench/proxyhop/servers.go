package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/routes"
)

// answer is what the backend and the handlers in this process give, about 1 KB.
func answer() string {
	return `{"order_id":"4711","items":["` + strings.Repeat("0123456789abcdef", 62) + `"]}`
}

// serve is a server under measurement: it runs until it is told to end.
func serve(role, listen, upstream, file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	if profile := os.Getenv("BENCH_PROXY_PROFILE"); profile != "" {
		f, err := os.Create(profile + "." + role)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	switch role {
	case "reverseproxy":
		return plain(ctx, l, reverseProxy(upstream))
	case "handler":
		return plain(ctx, l, handler())
	case "banyan", "inprocess":
		return banyan(ctx, l, role, file)
	}
	return fmt.Errorf("no such server: %s", role)
}

func handler() http.Handler {
	body := answer()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
}

func reverseProxy(upstream string) http.Handler {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	p.Transport = &http.Transport{MaxIdleConns: 128, MaxIdleConnsPerHost: 128, DisableCompression: true}
	return p
}

func plain(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// banyan serves the router as banyan serve does.
func banyan(ctx context.Context, l net.Listener, role, file string) error {
	svc, err := service.New("banyan", "warn", os.Stderr)
	if err != nil {
		return err
	}
	o := proxy.Options{Log: svc.Log, Registry: svc.Registry}
	if role == "inprocess" {
		r := web.NewRouter()
		r.Handle("/v1/orders/{order_id}", handler())
		o.Modules = map[string]http.Handler{routes.Monolith: r}
	} else if o.Config, err = routes.Load(file); err != nil {
		return err
	}
	router, err := proxy.New(ctx, o)
	if err != nil {
		return err
	}
	go router.Run(ctx)
	return svc.Serve(ctx, l, svc.Edge().Wrap(router), web.ServerOptions{})
}
