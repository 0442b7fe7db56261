package conf_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/conf"
)

func TestSizesAreReadAsTheDocumentsSay(t *testing.T) {
	tests := map[string]int64{
		`1`: 1, `65536`: 65536, `0x10`: 16, `1e3`: 1000, `1.`: 1, `+5`: 5, `'65536'`: 65536, `'010'`: 10,
		`'1 byte'`: 1, `'10 bytes'`: 10, `'10K'`: 10 << 10, `'10kb'`: 10 << 10, `'20MB'`: 20 << 20, `' 20 m '`: 20 << 20, `'3 Gb'`: 3 << 30,
		`'1.5K'`: 1536, `9007199254740993`: 9007199254740993, `'9223372036854775807'`: math.MaxInt64,
		`'unlimited'`: -1, `'Infinite'`: -1, `'never'`: -1, `'forever'`: -1, `Infinity`: -1,
	}
	for source, want := range tests {
		c := parse(t, "{ limits: { queue: "+source+" } }")
		if c.Limits.Queue != want {
			t.Errorf("%s is %d, want %d", source, c.Limits.Queue, want)
		}
	}
}

func TestDurationsAreReadAsTheDocumentsSay(t *testing.T) {
	day := 24 * time.Hour
	tests := map[string]time.Duration{
		`30`: 30 * time.Second, `'30'`: 30 * time.Second, `0.5`: time.Second / 2, `.5`: time.Second / 2, `5.e-1`: time.Second / 2, `'1.5 hrs'`: 90 * time.Minute,
		`'100ms'`: 100 * time.Millisecond, `'30s'`: 30 * time.Second, `'1 sec'`: time.Second, `'30secs'`: 30 * time.Second, `'1 second'`: time.Second, `'2 seconds'`: 2 * time.Second,
		`'1min'`: time.Minute, `'5 mins'`: 5 * time.Minute, `'5mins'`: 5 * time.Minute, `'1 minute'`: time.Minute, `'2 MINUTES'`: 2 * time.Minute,
		`'1hr'`: time.Hour, `'2hrs'`: 2 * time.Hour, `'1 hour'`: time.Hour, `'2 hours'`: 2 * time.Hour,
		`'1 day'`: day, `'2days'`: 2 * day, `'1 week'`: 7 * day, `'2 weeks'`: 14 * day,
		`'1 month'`: 30 * day, `'2 months'`: 60 * day, `'1 year'`: 365 * day, `'2 years'`: 730 * day,
		`'never'`: -1, `'forever'`: -1, `'infinite'`: -1, `'Unlimited'`: -1, `Infinity`: -1,
	}
	for source, want := range tests {
		c := parse(t, "{ timeouts: { inactivity: "+source+" } }")
		if c.Timeouts.Inactivity != want {
			t.Errorf("%s is %v, want %v", source, c.Timeouts.Inactivity, want)
		}
	}
}

func TestAQuantityThatIsWrongSaysWhatToWrite(t *testing.T) {
	sizes := map[string]string{
		`'64 kilo'`:           `"64 kilo" is not a size; write 64KB or 65536`,
		`'1 mega'`:            `"1 mega" is not a size; write 1MB or 1048576`,
		`'64 KBit'`:           `"64 KBit" is not a size; write 64KB or 65536`,
		`'5 mins'`:            `"5 mins" is not a size; write 5MB or 5242880`,
		`'5 secs'`:            `"5 secs" is not a size; write 64KB or 65536`,
		`'lots'`:              `"lots" is not a size; write 64KB or 65536`,
		`''`:                  `"" is not a size; write 64KB or 65536`,
		`0`:                   `0 would allow nothing; write 'unlimited' for no limit`,
		`'0 KB'`:              `0 would allow nothing; write 'unlimited' for no limit`,
		`-1`:                  `-1 is negative; write 'unlimited' for no limit`,
		`-Infinity`:           `-Infinity is not a size; write 64KB or 65536`,
		`NaN`:                 `NaN is not a size; write 64KB or 65536`,
		`'-5KB'`:              `"-5KB" is negative; write 'unlimited' for no limit`,
		`1.5`:                 `1.5 is not a whole number; write 64KB or 65536`,
		`1e300`:               `1e300 is not a size; write 64KB or 65536`,
		`1e400`:               `1e400 is not a size; write 64KB or 65536`,
		`9223372036854775808`: `9223372036854775808 is too much; write 'unlimited' for no limit`,
		`'9999999999999 GB'`:  `"9999999999999 GB" is too much; write 'unlimited' for no limit`,
		`true`:                `true is not a size; write 64KB or 65536`,
		`null`:                `null is not a size; write 64KB or 65536`,
		`[1]`:                 `a list is not a size; write 64KB or 65536`,
	}
	durations := map[string]string{
		`'5m'`:        `"5m" is not a duration, for m means mega; write '5 mins'`,
		`'1.5 M'`:     `"1.5 M" is not a duration, for m means mega; write '1.5 mins'`,
		`'2h'`:        `"2h" is not a duration; write '2 hrs'`,
		`'5 minuts'`:  `"5 minuts" is not a duration; write '5 mins'`,
		`'5 mo'`:      `"5 mo" is not a duration; write '5 months'`,
		`'9 millis'`:  `"9 millis" is not a duration; write '9ms'`,
		`'5 KB'`:      `"5 KB" is not a duration; write '30 secs', '5 mins', '2 hrs' or 'never'`,
		`'1h30m'`:     `"1h30m" is not a duration; write '30 secs', '5 mins', '2 hrs' or 'never'`,
		`0`:           `0 would allow nothing; write 'never' for no limit`,
		`'0ms'`:       `0 would allow nothing; write 'never' for no limit`,
		`-5`:          `-5 is negative; write 'never' for no limit`,
		`'300 years'`: `"300 years" is too much; write 'never' for no limit`,
		`1e-12`:       `1e-12 is not a whole number; write '30 secs', '5 mins', '2 hrs' or 'never'`,
	}
	check := func(key string, tests map[string]string) {
		for source, want := range tests {
			group, name, _ := strings.Cut(key, ".")
			_, _, err := conf.Parse(fmt.Appendf(nil, "{ %s: { %s: %s } }", group, name, source), "web.json5")
			if err == nil || !strings.HasSuffix(err.Error(), key+": "+want) {
				t.Errorf("%s\n got %v\nwant %s", source, err, want)
			}
		}
	}
	check("limits.queue", sizes)
	check("timeouts.write", durations)
}

func TestZeroIsUnlimitedOnlyWhereIotoSaysSo(t *testing.T) {
	parse(t, `{ limits: { fibers: 0, uploads: 0 } }`)
	for _, key := range []string{"connections", "requests", "body", "maxMessage", "webSockets"} {
		if _, _, err := conf.Parse([]byte("{ limits: { "+key+": 0 } }"), "web.json5"); err == nil {
			t.Errorf("limits.%s: 0 was accepted", key)
		}
	}
}
