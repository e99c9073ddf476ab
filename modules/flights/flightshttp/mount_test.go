package flightshttp_test

import (
	"testing"

	"banyan/modules/flights/flightshttp"
	"banyan/modules/kernel/openapi"
	"banyan/modules/kernel/web"
)

func TestSpecAndRouterAgree(t *testing.T) {
	r := web.NewRouter()
	flightshttp.Mount(r, nil)
	openapi.CheckRouter(t, flightshttp.Spec, r)
}
