module github.com/leat-dev/leat/conformance

go 1.26.0

require github.com/leat-dev/leat v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/leat-dev/leat => ../
