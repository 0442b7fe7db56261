// Package source follows the lines that a command prints or a file gets.
package source
