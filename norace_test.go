//go:build !race

package leat_test

const underRace = false
