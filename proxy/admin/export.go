package admin

import (
	"net/http"
	"regexp"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/gatewayapi"
)

// mountSights adds what looks at traffic and routes and changes neither.
func (a *api) mountSights(r *mux.Router) {
	r.Handle("/admin/v1/usage", rest.Handler(a.usage)).Methods(http.MethodGet)
	r.Handle("/admin/v1/diffs", rest.Handler(a.diffs)).Methods(http.MethodGet)
	r.Handle("/admin/v1/diffs/{id:[^/:]+}:reset", rest.Handler(a.resetDiffs)).Methods(http.MethodPost)
	r.Handle("/admin/v1/export/gateway-api", rest.Handler(a.gatewayAPI)).Methods(http.MethodGet)
}

// maxPort is the highest port.
const maxPort = 65535

// gatewayAPI answers GET /admin/v1/export/gateway-api.
func (a *api) gatewayAPI(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "namespace", "gateway", "service", "port")
	if err != nil {
		return err
	}
	o := gatewayapi.Options{Namespace: q["namespace"], Gateway: "banyan", Service: "banyan"}
	for name, to := range map[string]*string{"namespace": &o.Namespace, "gateway": &o.Gateway, "service": &o.Service} {
		if q.Has(name) {
			*to = q[name]
		}
		if *to != "" && !isLabel(*to) {
			return errs.E(errs.Invalid, "the parameter %s is %q: it must be a name that Kubernetes allows, of lower-case letters, digits and -", name, *to).With("field", name)
		}
	}
	if o.Gateway == "" || o.Service == "" {
		return errs.E(errs.Invalid, "the parameters gateway and service must not be empty").With("field", "gateway")
	}
	if o.Port, err = q.Int("port", 1, maxPort, 8080); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, a.router.GatewayAPI(o))
	return nil
}

// isLabel accepts a DNS label, RFC 1123.
func isLabel(s string) bool {
	return len(s) <= 63 && regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(s)
}
