package redisdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
)

// TestEachHash finds every field of every hash, large and small, on a server and on a
// Cluster, and nothing else.
func TestEachHash(t *testing.T) {
	for name, addrs := range map[string]string{"server": dbtest.RedisAddr(t), "cluster": strings.Join(dbtest.RedisCluster(t), ",")} {
		t.Run(name, func(t *testing.T) {
			db, prefix := open(t, redisdb.Options{Addrs: addrs}), dbtest.Namespace()+":"
			for hash := range 1200 {
				if err := db.HSet(t.Context(), fmt.Sprint(prefix, hash), "a", hash, "b", "x").Err(); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 2000 {
				if err := db.HSet(t.Context(), prefix+"7", fmt.Sprint("field", n), "y").Err(); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(db.Set(t.Context(), prefix+"text", "x", 0).Err(), db.HSet(t.Context(), "not"+prefix, "a", 1).Err()); err != nil {
				t.Fatal(err)
			}
			fields, none := map[string]string{}, 0
			err := db.EachHash(t.Context(), prefix+"*", func(key string, pairs []string) error {
				if pairs == nil && key == prefix+"text" {
					none++
				}
				for i := 0; i < len(pairs); i += 2 {
					fields[key+" "+pairs[i]] = pairs[i+1]
				}
				return nil
			})
			if err != nil || len(fields) != 2*1200+2000 || none != 1 || fields[prefix+"31 a"] != "31" {
				t.Errorf("%d fields, %d of no hash, %v", len(fields), none, err)
			}
			enough := errors.New("enough")
			if err := db.EachHash(t.Context(), prefix+"*", func(string, []string) error { return enough }); !errors.Is(err, enough) {
				t.Errorf("it goes on after %v", err)
			}
		})
	}
}
