package load

import "fmt"

// Record is the n-th record of a stream, in JSON: what readers of streams expect.
func Record(n uint32) []byte {
	return fmt.Appendf(nil, `{"n":%d,"sensor":"boiler-%d","celsius":%d.5,"note":"a record of a stream, as long as those of a sensor usually are"}`,
		n, n%7, 20+n%60)
}
