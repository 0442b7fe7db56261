// Writes verdicts.json: what the reference implementation of JSON5 1.0 says
// to each source below. Run once, by hand, when a case is added:
//
//	npm install --no-save json5@2.2.3 && node verdicts.mjs
//
// The Go test needs verdicts.json only.
import { writeFileSync } from 'node:fs'
import JSON5 from 'json5'

const sources = String.raw`
{}
[]
null
true
false
{a:1}
{a:1,}
[1,]
[1,,2]
[,]
[,1]
{,}
{,a:1}
{a:1,,b:2}
{a:1 b:2}
[1 2]
{a}
{a:}
{a 1}
{a=1}
{:1}
{"a":1,"b":[true,false,null],"c":{"d":"e"}}
{'a':'b'}
{"a':1}
{$:1,_:2,$a_1:3}
{ünïcödé:1}
{Ünï_2:1}
{日本:1}
{ⅷ:1}
{a\u0062c:1}
{\u0061bc:1}
{\u0024x:1}
{a\u200Cb:1}
{\u200Cab:1}
{a\u0020b:1}
{\u0030a:1}
{a\x62:1}
{a\u00:1}
{à:1}
{a͏b:1}
{a‿b:1}
{a٣:1}
{٣a:1}
{null:1,true:2,if:3,Infinity:4,NaN:5}
{1:2}
{1a:2}
{a-b:1}
{a.b:1}
{"a-b":1}
{"":1}
{'':1}
{"a":1,"a":2}
{"__proto__":1}
{[1]:2}
0
-0
+0
1
-1
+1
--1
+-1
- 1
+ 1
00
01
-01
08
1.5
1.
.5
-.5
+.5
.
-.
+
-
1.e3
.5e3
1e3
1E3
1e+3
1e-3
1e
1e+
.e3
1.2.3
1_000
1n
1e400
-1e400
1e-400
5e-324
4.9e-325
9007199254740993
123456789012345678901234567890
0.1
0.30000000000000004
1.7976931348623157e308
1.7976931348623159e308
0x0
0xFF
0Xff
-0xff
+0xff
0x
0xg
0x1.5
0x1p3
0xFFFFFFFFFFFFFFFFFFFFFFFF
0x20000000000001
0x20000000000003
0o17
0b11
017
Infinity
-Infinity
+Infinity
- Infinity
infinity
Infinity1
NaN
-NaN
+NaN
nan
[Infinity,-Infinity,NaN,+1,-.5,0xA]
""
''
"a"
'a'
"it's"
'say "x"'
"\""
'\''
"\'"
"a\b\f\n\r\t\v\0z"
"\0"
"\00"
"\01"
"\08"
"\1"
"\9"
"\x41"
"\x4"
"\x"
"\xg1"
"\u0041"
"\u004"
"\u"
"\u{41}"
"\ud83d\ude00"
"\ud83d"
"\ude00"
"\ud83d\ud83d\ude00"
"\ud83dx\ude00"
"\a\c\d\q\/\\\["
"\A\C"
"
'
"a
"a\
"a\"
"tab	inside"
"😀"
"a" "b"
"a"1
1"a"
// comment
/* comment */
// a
1 // one
1/* one */
/* one */1
/* * / ** */1
/*/1
/* open
1 /
1 / 2
/1
{/*a*/a/*b*/:/*c*/1/*d*/,/*e*/}
{a//b
# comment
1 # one
/* /* */ */ 1
/**/1
/***/1
True
TRUE
None
undefined
nil
nul
nulll
truex
true false
tru\u0065
hello
{a:hello}
{a:5mins}
{a:5 mins}
{a:64KB}
[a]
{
}
[
]
{]
[}
{}}
[]]
{"a":1
[1
{a:{b:[{c:[[[]]]}]}}
((1))
<a>
@
\u0031
{a:1;b:2}
{a:1}{b:2}
[1,2,3] x
[{a:1},{b:2},]
{a:[1,{b:'c',},],}
{a:+.5,b:-5.,c:0x1F}
{'a\nb':1}
{'\u0061':1}
{"a b":1, 'c d':2}
{"a"/**/:/**/"b"}
{"a" "b"}
{"a":"b" "c":"d"}
{"a":"b","c"}
{{}}
{a::1}
{a:1:2}
{async:1,await:2,class:3,enum:4}
{𝒳:1}
{a𝒳:1}
{"𝒳":1}
`.split('\n').filter(Boolean)

sources.push(
	'', ' ', '\n', '\uFEFF', '\uFEFF1', '1\uFEFF', '[1\uFEFF,2]', '{\uFEFFa:1}',
	'\u00A01\u00A0', '\u20031', '\u30001', '\u202F1', '\u205F1', '\u16801', '\u180E1', '\u200B1', '\u00851',
	'\u20281', '\u20291', '\t\v\f \n\r1', '\x001', '1\x00', '\x1F1', '\x1C1',
	'// a\n1', '// a\r1', '// a\r\n1', '// a\u20281', '// a\u20291', '/* a\nb */1', '1 // end', '1 //',
	'"a\nb"', '"a\rb"', '"a\u2028b"', '"a\u2029b"', "'a\u2028b'",
	'"a\\\nb"', '"a\\\rb"', '"a\\\r\nb"', '"a\\\n\rb"', '"a\\\u2028b"', '"a\\\u2029b"', '"a\\\n\nb"', '"\\\n"', '"\\ud83d\\\n\\ude00"',
	'"a\x00b"', '"a\x01b"', '"a\x7fb"', '{"a\\\nb":1}',
	'{\n  // one\n  a: 1, /* two */\n  "b": [1,\n 2,],\n}\n', '{a:1\n,b:2}', '{a:1\nb:2}', '{a\n:\n1}', '{a:\r\n1}',
	'"\uFEFF"', '"\u00A0"', '{"\\uD83D\\uDE00":1}', '{\\uD83D\\uDE00:1}', '{a:1,\u2028b:2}', '{\u00A0a\u00A0:\u00A01}',
	'`a`', '{a:`b\nc`}', '\u201Ca\u201D', '{\u2018a\u2019:1}', '[' + '['.repeat(500) + ']'.repeat(500) + ']',
)

// Numbers are given as text, since JSON has no Infinity; objects as members.
function plain(v) {
	if (typeof v === 'number') return { number: Object.is(v, -0) ? '-0' : String(v) }
	if (Array.isArray(v)) return v.map(plain)
	if (v && typeof v === 'object') return { members: Object.entries(v).map(([k, m]) => [k, plain(m)]) }
	return v
}

const lines = sources.map((source) => {
	try {
		return { source, ok: true, value: plain(JSON5.parse(source)) }
	} catch {
		return { source, ok: false }
	}
})
writeFileSync('verdicts.json', '[\n' + lines.map((l) => JSON.stringify(l)).join(',\n') + '\n]\n')
