package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/admin"
)

// adminCall bounds one call of the admin API.
const adminCall = 30 * time.Second

// adminClient calls the admin API of a running banyan and prints what it answers.
type adminClient struct {
	caller *rest.Caller
	base   string
	token  string
	output string
}

// connector reads the flags of a command that calls the admin API.
type connector func(cmd *cobra.Command) (*adminClient, error)

// adminFlags defines the flags that such commands share; BANYAN_ADMIN, BANYAN_ADMIN_TOKEN,
// BANYAN_ADMIN_TOKEN_FILE and BANYAN_OUTPUT set them too.
func adminFlags(fs *pflag.FlagSet) connector {
	base := fs.String("admin", "http://127.0.0.1:8090", "address of the admin API")
	token := config.Secret(fs, "admin-token", "bearer token of the admin API")
	output := fs.StringP("output", "o", "table", "table, json or yaml")
	return func(cmd *cobra.Command) (*adminClient, error) {
		var p config.Problems
		config.Load(fs, environOf(fs), nil, &p)
		u, err := url.Parse(*base)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			p.Add("--admin: %q is not an address such as http://127.0.0.1:8090", *base)
		}
		if *output != "table" && *output != "json" && *output != "yaml" {
			p.Add("--output: %q is none of table, json and yaml", *output)
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		cmd.SilenceUsage = true // from here on errors are not about how it was called
		transport := web.NewTransport(web.TransportOptions{HeaderTimeout: adminCall})
		return &adminClient{rest.NewCaller(*base, transport), *base, *token, *output}, nil
	}
}

// environOf gives the variables that belong to flags of fs.
func environOf(fs *pflag.FlagSet) []string {
	var list []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, config.Prefix) && fs.Lookup(config.FlagName(name)) != nil {
			list = append(list, kv)
		}
	}
	return list
}

func (c *adminClient) do(ctx context.Context, call rest.Call) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, adminCall)
	defer cancel()
	if call.Header == nil {
		call.Header = map[string]string{}
	}
	call.Header[admin.ActorHeader] = whoami()
	if c.token != "" {
		call.Header["Authorization"] = "Bearer " + c.token
	}
	header, err := c.caller.Do(ctx, call)
	if header == nil && errs.CodeOf(err) == errs.Unavailable {
		return nil, errs.E(errs.Unavailable, "there is no admin API at %s; start banyan serve, or name another with --admin", c.base).Because(err)
	}
	return header, err
}

// whoami names the person for the audit log.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	const most = 64
	return name[:min(len(name), most)]
}

func routePath(id string) (string, error) {
	segment, ok := rest.Segment(id)
	if !ok || strings.Contains(id, ":") {
		return "", errs.E(errs.Invalid, "%q is no route's id; see banyan routes list", id)
	}
	return "/admin/v1/routes/" + segment, nil
}

func (c *adminClient) route(ctx context.Context, id string) (admin.Route, error) {
	var r admin.Route
	path, err := routePath(id)
	if err == nil {
		_, err = c.do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &r})
	}
	return r, err
}

// print writes v as JSON or YAML, or by table in aligned columns.
func (c *adminClient) print(w io.Writer, v any, table func(io.Writer)) error {
	if c.output == "table" {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		table(t)
		return t.Flush()
	}
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if c.output == "yaml" {
		var plain any // JSON's names for the fields
		if err := json.Unmarshal(body, &plain); err != nil {
			return err
		}
		body, err = yaml.Marshal(plain)
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(w, strings.TrimRight(string(body), "\n"))
	return err
}

// progress makes a bar of so many steps.
func progress(w io.Writer, what string, steps int) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(w) }))
}
