package protocol_test

import "fmt"

func largeCases() []testCase {
	const k, m, rounds = 1 << 10, 1 << 20 / scale, 1000 / scale
	var all []testCase
	// add adds a case for text, in one group, and one for binary, in the next.
	add := func(group, i int, name string, n int, how func(op byte) step) {
		all = append(
			all,
			holds(fmt.Sprintf("9.%d.%d", group, i+1), "text of "+name, how(opText), getsText(pattern(n))),
			holds(fmt.Sprintf("9.%d.%d", group+1, i+1), "binary of "+name, how(opBinary), getsBinary(pattern(n))),
		)
	}
	for i, n := range []int{m / 16, m / 4, m, 4 * m, 8 * m, 16 * m} {
		add(1, i, fmt.Sprintf("%d KiB", n/k), n, func(op byte) step {
			return send(frame{b0: fin | op, payload: pattern(n)})
		})
	}
	for i, size := range []int{64, 256, k, 4 * k, 16 * k, m / 16, m / 4, m, 4 * m} {
		add(3, i, fmt.Sprintf("%d KiB in frames of %d bytes", 4*m/k, size), 4*m, func(op byte) step {
			return send(fragments{op, pattern(4 * m), size})
		})
	}
	for i, cut := range []int{64, 128, 256, 512, k, 2 * k} {
		add(5, i, fmt.Sprintf("%d KiB, %d bytes at a time", m/k, cut), m, func(op byte) step {
			return chopped(cut, frame{b0: fin | op, payload: pattern(m)})
		})
	}
	for i, n := range []int{0, 16, 64, 256, k, 4 * k} {
		var texts, binaries steps
		for range rounds {
			texts = append(texts, send(text(pattern(n))), getsText(pattern(n)))
			binaries = append(binaries, send(binry(pattern(n))), getsBinary(pattern(n)))
		}
		all = append(
			all,
			holds(fmt.Sprintf("9.7.%d", i+1), fmt.Sprintf("%d times text of %d bytes there and back", rounds, n), texts),
			holds(fmt.Sprintf("9.8.%d", i+1), fmt.Sprintf("%d times binary of %d bytes there and back", rounds, n), binaries),
		)
	}
	return all
}
