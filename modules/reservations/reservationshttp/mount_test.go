package reservationshttp_test

import (
	"testing"

	"banyan/modules/kernel/openapi"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
)

func TestSpecAndRouterAgree(t *testing.T) {
	r := web.NewRouter()
	reservationshttp.Mount(r, nil)
	openapi.CheckRouter(t, reservationshttp.Spec, r)
}
