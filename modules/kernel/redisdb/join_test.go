package redisdb_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
)

// eachOwn takes the calls of many: two keys and one or two arguments each. It answers the
// first argument and how many calls came as one, or fails for who asks for it.
const eachOwn = `
local answers, at = {}, 1
for i = 1, #KEYS, 2 do
  local mine = ARGV[at + 1]
  redis.call('INCR', KEYS[i])
  if ARGV[at] == '2' then
    answers[#answers + 1] = redis.error_reply('ERR ' .. ARGV[at + 2] .. ' for ' .. KEYS[i + 1])
  else
    answers[#answers + 1] = {mine, #KEYS / 2}
  end
  at = at + 1 + ARGV[at]
end
return answers`

// TestJoin calls a script from many callers at once: each gets their own answer, or their
// own error, and all is done once.
func TestJoin(t *testing.T) {
	for name, addrs := range map[string]string{"standalone": dbtest.RedisAddr(t), "cluster": strings.Join(dbtest.RedisCluster(t), ",")} {
		t.Run(name, func(t *testing.T) {
			db := open(t, redisdb.Options{Addrs: addrs})
			key := "{" + dbtest.Namespace() + "}"
			const callers, rounds = 40, 25
			var most atomic.Int64
			var wg sync.WaitGroup
			for caller := range callers {
				wg.Go(func() {
					for n := range rounds {
						mine := fmt.Sprint(caller, "-", n)
						c := redisdb.Call{Command: "eval", Script: eachOwn, Keys: []string{key, key + mine}, Args: []string{"1", mine}}
						if caller%3 == 0 {
							c.Args = []string{"2", mine, "no"}
						}
						answer, err := db.Join(t.Context(), &c)
						if caller%3 == 0 {
							if err == nil || err.Error() != "ERR no for "+key+mine {
								t.Errorf("%s: %v, %v", mine, answer, err)
							}
							continue
						}
						list, ok := answer.([]any)
						if err != nil || !ok || list[0] != mine {
							t.Errorf("%s: %v, %v", mine, answer, err)
							return
						}
						together, _ := list[1].(int64)
						most.Store(max(most.Load(), together))
					}
				})
			}
			wg.Wait()
			if done, err := db.Get(t.Context(), key).Int64(); err != nil || done != callers*rounds {
				t.Errorf("%d done of %d, %v", done, callers*rounds, err)
			}
			if alone := most.Load() == 1; alone != (name == "cluster") {
				t.Errorf("%d calls came as one", most.Load())
			}
		})
	}
}

// TestJoinRefusesAnotherList checks that nobody is given another one's answer by a script
// that does not keep to what Join wants, and that all learn of the error of a whole call.
func TestJoinRefusesAnotherList(t *testing.T) {
	db := open(t, redisdb.Options{Addrs: dbtest.RedisAddr(t)})
	for name, c := range map[string]redisdb.Call{
		"too many": {Command: "eval", Script: "return {1, 2}", Keys: []string{"k"}},
		"none":     {Command: "eval", Script: "return {}", Keys: []string{"k"}},
		"no list":  {Command: "eval", Script: "return 1", Keys: []string{"k"}},
		"nothing":  {Command: "eval", Script: "return nil", Keys: []string{"k"}},
	} {
		if answer, err := db.Join(t.Context(), &c); err == nil {
			t.Errorf("%s: answered %v", name, answer)
		}
	}
	unknown := redisdb.Call{Command: "evalsha", Script: strings.Repeat("0", 40), Keys: []string{"k"}}
	if answer, err := db.Join(t.Context(), &unknown); !redis.HasErrorPrefix(err, "NOSCRIPT") {
		t.Errorf("an unknown script: %v, %v", answer, err)
	}
}
