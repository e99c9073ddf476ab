package handoverhttp_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/openapi"
	"banyan/modules/kernel/web"
)

const token = "a-token-of-the-tests"

// serve serves a participant as a service of ours does.
func serve(t *testing.T, p handover.Participant) string {
	t.Helper()
	r := web.NewRouter()
	handoverhttp.Mount(r, "reservations", p, token)
	edge := web.Edge{MaxBody: handoverhttp.MaxCopyBytes}
	server := httptest.NewServer(edge.Wrap(r))
	t.Cleanup(server.Close)
	return server.URL
}

func clientOf(t *testing.T, url string) handover.Participant {
	t.Helper()
	transport := web.NewTransport(web.TransportOptions{})
	t.Cleanup(transport.CloseIdleConnections)
	return handoverhttp.NewClient(url, "reservations", token, transport)
}

func TestSuite(t *testing.T) {
	handovertest.Run(t, clientOf(t, serve(t, handovertest.NewMemory())), handovertest.Options{
		Buckets: []int{1, 2, 3, 4, 5, 6, 7, 8}, Epoch: 10, Records: records,
	})
}

// records are more than a part of bucket 3, and few of the others.
func records(bucket int) [][]byte {
	n := 3
	if bucket == 3 {
		n = handover.MaxPartRecords + 1
	}
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, `{"bucket":%d,"n":"%06d","text":"<é\u2028>"}`, bucket, i)
	}
	return list
}

func TestSpecAndRouterAgree(t *testing.T) {
	r := web.NewRouter()
	handoverhttp.Mount(r, "reservations", nil, "")
	openapi.CheckRouter(t, handoverhttp.Spec, r)
	if _, err := openapi.Merge("t", "v1", "d", handoverhttp.Spec, openapi.Common); err != nil {
		t.Error(err)
	}
}
