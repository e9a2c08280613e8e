"""What is removed and what stays: each case is a text and exactly what is left of it."""

from __future__ import annotations

import pytest

from vaak.languages import LANGUAGES
from vaak.text.cleaning import boilerplate_phrases

pytest.importorskip("ftfy", reason="cleaning needs the extra `text` (ftfy)")

from vaak.text.cleaning.clean import clean

LONG = "The old man kept the shop open until the last of the fishermen had come in from the lake."

STAYS = [
    # Prose that looks like markup.
    "If a < b and b < c, then a < c.",
    "He wrote x <- y on the board, and then y -> z.",
    "I <3 you, she said <sarcasm> and left </sarcasm>.",
    "Replace <your-name> and <amount> in the letter.",
    "Type cp <file> <folder> and wait.",
    "R&D at AT&T; black & white.",
    "The query ?a=1&copy=2 keeps its name.",
    "Either/or, and/or, 24/7, 1/2 cup.",
    "The price rose from ₹1,00,000 to $5.50 (about 3%).",
    "At 5:30 p.m. Dr. Rao (see p. 12) arrived…",
    "It`s late, he wrote with the wrong sign.",
    "The array a[0] and the call f(x) are in this sentence.",
    "Amazon.com was founded in 1994.",
    "She answered as @meera on the forum, at the rate of 3 @ 5 rupees.",
    # Prose that looks like boilerplate.
    "These cookies use brown butter and sea salt.",
    "Please share your food with the children.",
    "I read more than I write.",
    "The copyright law was changed in 1957.",
    "He went home | she stayed.",
    "He wanted to log in the forest, as his father had.",
    "We follow him on foot.",
    # Verse and dialogue keep their lines.
    "Roses are red,\nViolets are blue;\nSugar is sweet,\nAnd so are you.",
    "“Where are you going?”\n“Home.”\n“So late?”",
    "रघुपति राघव राजा राम |\nपतित पावन सीता राम ||",
    "राम आए || सीता आईं || सब आए॥\nराम गए || सीता गईं || सब गए॥",
    "राम गया | सीता आई | लक्ष्मण सोया |\nवह आया | वह गया | वह हँसा |",
    # Clean text of every script, with joiners that carry meaning.
    "हिन्दी में क्‍या लिखा है? हाँ, यही।",
    "বাংলা র‍্যাব এবং উদ্‌যাপন।",
    "தமிழில் எழுதப்பட்ட வாக்கியம்.",
    "సాఫ్ట్‌వేర్ గురించి ఒక వాక్యం.",
    "मराठीत लिहिलेले वाक्य, सुर्‍या.",
    "ગુજરાતીમાં લખેલું વાક્ય.",
    "ಕನ್ನಡದಲ್ಲಿ ಸಾಫ್ಟ್‌ವೇರ್ ಬಗ್ಗೆ.",
    "അവന്‍ വന്നു. അവൻ പോയി.",
    "ਪੰਜਾਬੀ ਵਿੱਚ ਲਿਖਿਆ ਵਾਕ।",
    "ଓଡ଼ିଆରେ ଲେଖା ବାକ୍ୟ।",
    "অসমীয়াত লিখা বাক্য, ৰাতি আৰু ৱাৰ্তা।",
    "Café, naïve, São Paulo, Zürich – “quoted” © by nobody.",
    "👨\u200d👩\u200d👧 family",
    # An empty line between paragraphs.
    "One paragraph.\n\nAnother one.",
    "",
]  # fmt: skip

HTML = [
    ("<p>Hello <b>bold</b> world.</p><p>Another.</p>", "Hello bold world.\n\nAnother."),
    ("<html><head><title>T</title><style>p{}</style></head><body><p>One\ntwo\nthree.</p></body></html>", "One two three."),
    ("a verse<br>\nof three<br />\nlines", "a verse\nof three\nlines"),
    ("First line<br>second line<br/>third", "First line\nsecond line\nthird"),
    ("A line\nwith <i>one</i> tag\nkeeps its lines", "A line\nwith one tag\nkeeps its lines"),
    ("un<wbr>believ<b>able</b>", "unbelievable"),
    ("<h1>Title</h1><div>Text.<div>More.</div></div>", "Title\n\nText.\nMore."),
    ("<ul><li>rice<li>dal</ul>", "rice\ndal"),
    ("<nav><a href='/'>Home</a></nav><main><p>Text.</p></main><footer>© X</footer>", "Text."),
    ("<nav>Never closed. The text goes on.", "Never closed. The text goes on."),
    ('<div class="share-buttons">Tell your friends</div><p>Text.</p>', "Text."),
    ("<p>Before<!-- <p>a comment</p> --> after</p>", "Before after"),
    ("<script>if (a < b) alert('<p>x</p>')</script>Text", "Text"),
    ("The <script> tag is not closed here", "The tag is not closed here"),
    ('<a title="a > b" href=x.html>words</a>', "words"),
    ("Broken <a href=\"x.html", "Broken"),
    ("<<b>b>nested</<b>b>", "nested"),
    ("Water is H<sub>2</sub>O.<sup>[3]</sup> Yes, x<sup>2</sup>.", "Water is H2O. Yes, x2."),
    ("<p class='x'>नदी के <em>उत्तरी</em> किनारे पर।</p>", "नदी के उत्तरी किनारे पर।"),
    ("<P>ಕನ್ನಡ<BR>ತಮಿಳು</P>", "ಕನ್ನಡ\nತಮಿಳು"),
    ("Press <keyseq><key>Alt</key><key>F7</key></keyseq> in <app>Files</app>.", "Press AltF7 in Files."),
    ("इसके बारे में <xref linkend='x'/> देखें।", "इसके बारे में देखें।"),
    ("Word left <o:p></o:p>this here.", "Word left this here."),
    ("<!DOCTYPE html><?xml version='1.0'?>Text", "Text"),
]  # fmt: skip

ENTITIES = [
    ("Tom &amp; Jerry", "Tom & Jerry"),
    ("Tom &amp;amp;amp; Jerry", "Tom & Jerry"),
    ("a &lt; b", "a < b"),
    ("&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt; words", "bold words"),
    ("&#2361;&#x93f;&#2306;&#2342;&#2368;", "हिंदी"),
    ("caf&eacute;&nbsp;&hellip;", "café …"),
    ("&unknown; &; &#; stay", "&unknown; &; &#; stay"),
    ("&#224;&#164;&#185;&#224;&#165;&#136;", "है"),
]

LINKS = [
    # In a sentence the host name stays.
    ("Visit https://www.example.com/a/b?c=1#d for more.", "Visit example.com for more."),
    ("Write to anna@example.com. She answers.", "Write to example.com. She answers."),
    ("You can read it at http://example.org.", "You can read it at example.org."),
    ("अधिक जानकारी https://example.in/पथ पर देखें।", "अधिक जानकारी example.in पर देखें।"),
    ("তথ্য www.example.com/bn ঠিকানায় আছে।", "তথ্য example.com ঠিকানায় আছে।"),
    ("Write to anna.b+c@mail.example.com for details.", "Write to mail.example.com for details."),
    ("The file is in example.com/files/a_(1).zip now.", "The file is in example.com now."),
    # Elsewhere nothing does.
    ("Great match today! https://t.co/AbC123", "Great match today!"),
    ("Great match today https://example.com/x", "Great match today"),
    ("https://example.com/x\nText below.", "Text below."),
    ("The report (https://example.com/r.pdf) is long.", "The report is long."),
    ("The report ( http://a.com/x ), which is long.", "The report, which is long."),
    ("The report <http://a.com/x>.", "The report."),
    ("Contact: anna@example.com, 98765 43210", "Contact: 98765 43210"),
    ("Source: https://example.com/a/b\nText.", "Text."),
    ("स्रोत: www.example.com/hi\nपाठ यहाँ है।", "पाठ यहाँ है।"),
    ("Read [the report](https://example.com/r) today.", "Read the report today."),
    ("![a map](map.png)\nText.", "Text."),
    ("[1]: https://example.com/x \"Title\"\nText.", "Text."),
    ("[url=http://a.com]words[/url]", "words"),
    ("See [https://example.org/wiki/X the page] of it.", "See the page of it."),
    ("example.com\nText.", "Text."),
    ("Call http:// or www. and stop", "Call or www. and stop"),
]  # fmt: skip

CODE = [
    ("Before.\n```python\nprint(1)\n```\nAfter.", "Before.\n\nAfter."),
    ("Before.\n~~~\nx = 1\n~~~\nAfter.", "Before.\n\nAfter."),
    ("Before.\n```\nNever closed, so only the fence goes.", "Before.\n\nNever closed, so only the fence goes."),
    ("Before:\n\n    for x in y:\n        f(x)\n\nAfter.", "Before:\n\nAfter."),
    ("Before:\n\n\tint x = 0;\n\treturn x;\n\nAfter.", "Before:\n\nAfter."),
    ("    The curfew tolls the knell of parting day,\n    The lowing herd wind slowly o'er the lea,",
     "The curfew tolls the knell of parting day,\nThe lowing herd wind slowly o'er the lea,"),
    ("He said:\n\n    मैं आऊँगा,\n    तुम मत जाना।", "He said:\n\nमैं आऊँगा,\nतुम मत जाना।"),
    ("From afar:\n\n    from the hills we came\n    return to me", "From afar:\n\nfrom the hills we came\nreturn to me"),
    ("Note:\n\n    Choose the item(s) you want.", "Note:\n\nChoose the item(s) you want."),
    ("Run:\n\n    cd $2\n    mkdir $3", "Run:"),
    ("Call `open` before `read`.", "Call open before read."),
    ("<p>Call <code>open()</code> first.</p>", "Call open() first."),
    ("<p>So:</p><pre><code>x = 1\n</code></pre><p>Done.</p>", "So:\n\nDone."),
    ("<pre>Roses are red\n  Violets are blue</pre>", "Roses are red\nViolets are blue"),
    ("<code>a = 1;\nb = 2;</code>Text", "Text"),
]  # fmt: skip

TABLES = [
    ("Text.\n\n| name | age |\n|------|-----|\n| Asha | 31 |\n\nMore.", "Text.\n\nMore."),
    ("name | age | town\nAsha | 31 | Pune\nRavi | 29 | Agra\nText.", "Text."),
    ("नाम\tउम्र\tशहर\nआशा\t31\tपुणे\nरवि\t29\tआगरा\nपाठ।", "पाठ।"),
    ("राम:\tमैं चलता हूँ।\nसीता:\tमैं भी।\nराम:\tतो चलो।", "राम: मैं चलता हूँ।\nसीता: मैं भी।\nराम: तो चलो।"),
    ("1.\trice\n2.\tdal\n3.\tsalt", "1. rice\n2. dal\n3. salt"),
    ("Asha:\tI am here.", "Asha: I am here."),
    ("+----+----+\n| a  | b  |\n+----+----+\nText.", "Text."),
    ("<table><tr><th>name</th><th>age</th></tr><tr><td>Asha</td><td>31</td></tr></table>Text.", "Text."),
    (f"<table><tr><td>Menu<td>{LONG}</td></tr></table>", f"Menu\n{LONG}".replace("Menu\n", "")),
    (f"<table><tr><td><table><tr><td>1</td><td>2</td></tr></table></td><td>{LONG}</td></tr></table>", LONG),
    ("<table><tr><td>A frame around one text.</td></tr></table>", "A frame around one text."),
]  # fmt: skip

BOILERPLATE = [
    ("We use cookies to improve your experience.\nText.", "Text."),
    ("By continuing you accept our cookie policy.\nText.", "Text."),
    ("Text.\nRead more »", "Text."),
    ("Text.\n[Continue reading…]", "Text."),
    ("ADVERTISEMENT\nText.", "Text."),
    ("Share on Facebook\nShare on Twitter (Opens in new window)\nText.", "Text."),
    ("Facebook Twitter WhatsApp Email\nText.", "Text."),
    ("Home | About Us | Contact\nText.", "Text."),
    ("Home » News » India\nText.", "Text."),
    ("Text.\n© 2021 Example Media Ltd. All rights reserved.", "Text."),
    ("Text.\nCopyright 2021 Example Ltd", "Text."),
    ("You must be logged in to post a comment.\nText.", "Text."),
    ("Already have an account? Log in\nText.", "Text."),
    ("Sign in to continue reading\nText.", "Text."),
    ("इस वेबसाइट पर कुकीज़ का उपयोग किया जाता है।\nपाठ।", "पाठ।"),
    ("আমাদের সাইটে কুকি ব্যবহার করা হয়।\nপাঠ।", "পাঠ।"),
    ("12 Comments\nText.", "Text."),
    ("Also read: Ten ways to cook rice\nText.", "Text."),
    ("Text.\n* * *\nMore.", "Text.\nMore."),
    ("और पढ़ें\nपाठ।\nयह भी पढ़ें: चावल पकाने के दस तरीके", "पाठ।"),
    ("और पढ\u093cें\nपाठ।", "पाठ।"),
    ("होम | समाचार | खेल\nपाठ।", "पाठ।"),
    ("বিজ্ঞাপন\nলেখা।\nআরও পড়ুন...", "লেখা।"),
    ("விளம்பரம்\nஉரை.\nமேலும் படிக்க", "உரை."),
    ("ప్రకటన\nపాఠం.\nఇది కూడా చదవండి: మరొక కథ", "పాఠం."),
    ("जाहिरात\nमजकूर.\nहेही वाचा", "मजकूर."),
    ("જાહેરાત\nલખાણ.\nવધુ વાંચો", "લખાણ."),
    ("ಜಾಹೀರಾತು\nಪಠ್ಯ.\nಇದನ್ನೂ ಓದಿ", "ಪಠ್ಯ."),
    ("പരസ്യം\nപാഠം.\nകൂടുതൽ വായിക്കുക\nകൂടുതല്‍ വായിക്കുക", "പാഠം."),
    ("ਇਸ਼ਤਿਹਾਰ\nਪਾਠ।\nਹੋਰ ਪੜ੍ਹੋ", "ਪਾਠ।"),
    ("ବିଜ୍ଞାପନ\nପାଠ।\nଅଧିକ ପଢ଼ନ୍ତୁ", "ପାଠ।"),
    ("বিজ্ঞাপন\nপাঠ।\nঅধিক পঢ়ক", "পাঠ।"),
]

CHARACTERS = [
    ("à¤¹à¤¿à¤‚à¤¦à¥€ à¤®à¥‡à¤‚", "हिंदी में"),
    ("தமிழ் உரை".encode().decode("latin-1"), "தமிழ் உரை"),
    ("Good line हिंदी\n" + "বাংলা".encode().decode("latin-1"), "Good line हिंदी\nবাংলা"),
    ("donâ€™t say cafÃ©", "don’t say café"),
    ("nul\x00 bell\x07 esc\x1b del\x7f", "nul bell esc del"),
    ("soft\xadhyphen zero\u200bwidth \ufeffmark", "softhyphen zerowidth mark"),
    ("lone \ud800surrogate, pair \ud83d\ude00", "lone surrogate, pair 😀"),
    ("www\u200d.example.com/a", ""),
    ("icon \ue001 font", "icon font"),
    ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
    ("  two  spaces \t and a tab  \n\n\n\nend \n", "two spaces and a tab\n\nend"),
    ("no\xa0break\u3000space", "no break space"),
]


@pytest.mark.parametrize("text", STAYS)
def test_prose_stays_as_it_is(text):
    assert clean(text) == text


@pytest.mark.parametrize(("text", "left"), [*HTML, *ENTITIES, *LINKS, *CODE, *TABLES, *BOILERPLATE, *CHARACTERS])
def test_what_is_left(text, left):
    assert clean(text) == left
    assert clean(left) == left


def test_every_language_has_phrases_in_its_own_script():
    assert set(boilerplate_phrases.LANGUAGES) == set(LANGUAGES)
