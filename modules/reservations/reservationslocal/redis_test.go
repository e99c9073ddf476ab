package reservationslocal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/reservationslocal"
	"banyan/modules/reservations/reservationstest"
)

func TestContractOnRedis(t *testing.T) {
	reservationstest.Run(t, func(t *testing.T) reservationstest.Harness { return redisHarness(t, dbtest.RedisAddr(t)) })
}

func TestContractOnRedisCluster(t *testing.T) {
	reservationstest.Run(t, func(t *testing.T) reservationstest.Harness {
		return redisHarness(t, strings.Join(dbtest.RedisCluster(t), ","))
	})
}

func redisHarness(t *testing.T, addrs string) reservationstest.Harness {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := reservationslocal.NewRedis(t.Context(), db, reservationslocal.Options{
		MinTTL: time.Second, Namespace: dbtest.Namespace(), Own: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return reservationstest.Harness{
		Service: s,
		CatchUp: func(ctx context.Context, flights reservationslocal.FlightEvents) error {
			return s.Feed("flights", flights).CatchUp(ctx, nil)
		},
	}
}
