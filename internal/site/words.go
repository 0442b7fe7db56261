package site

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanName answers a guest's name with single spaces, or why it is none.
func cleanName(name string) (clean, why string) {
	if utf8.RuneCountInString(name) > mostText { // before more is done with it
		return "", fmt.Sprintf("a name has at most %d characters", mostName)
	}
	clean = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(clean); {
	case n == 0:
		return "", "a name is missing"
	case n > mostName:
		return "", fmt.Sprintf("a name has at most %d characters; this has %d", mostName, n)
	}
	// What cannot be seen would make two names that look alike.
	if i := strings.IndexFunc(clean, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
		c, _ := utf8.DecodeRuneInString(clean[i:])
		return "", fmt.Sprintf("a name is made of characters that can be seen; %U is none", c)
	}
	return clean, ""
}

// fold answers what two names have in common that count as the same.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// cleanText answers a text without space around it, or why it cannot be said.
func cleanText(text string) (clean, why string) {
	clean = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	switch n := utf8.RuneCountInString(clean); {
	case n == 0:
		return "", "there is no text"
	case n > mostText:
		return "", fmt.Sprintf("a text has at most %d characters; this has %d", mostText, n)
	}
	if i := strings.IndexFunc(clean, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }); i >= 0 {
		c, _ := utf8.DecodeRuneInString(clean[i:])
		return "", fmt.Sprintf("a text has no control characters but tabs and line ends; %U is one", c)
	}
	return clean, ""
}
