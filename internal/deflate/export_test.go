package deflate

// SetWindow holds f to a window of exactly n bytes.
func (f *Inflater) SetWindow(n int) { f.window = int32(n) }

// Holds says whether f holds memory of the pool.
func (f *Inflater) Holds() bool { return f.z != nil }
