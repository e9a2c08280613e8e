"""Very frequent words that tell languages of one script apart: a third voice beside the two classifiers.

The lists were written for Vaak. A word that two languages share stands in both and counts half. Endings are those of longer
words that are not in the lists.
`bh` stands for the Bihari languages (Bhojpuri, Maithili, Magahi, Angika), `gom` for Konkani, `mni` for Manipuri,
`bpy` for Bishnupriya.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

DEVANAGARI = {
    "hi": """है हैं था थी थे हूँ हूं हो और का की के को ने से में पर यह वह ये वे इस उस इन उन किया गया गई गए कर करना करने करते करता
        करती करें करे रहा रही रहे नहीं लिए लिये तो भी ही कि जो एक अपने अपनी अपना इसके उसके उनके इसे उसे उन्हें इन्हें मुझे मैं हम तुम आप आपके
        आपको मेरा मेरी मेरे हमारे तक साथ बाद द्वारा दिया दी लेकिन क्या कौन क्यों कैसे कहाँ कुछ कोई सकते सकता सकती होता होती होते हुआ हुई
        हुए होगा होगी होंगे जा जाता जाती जाते वाले वाली वाला यदि अगर जब तब
        तथा एवं नई नए नया""",
    "mr": """आहे आहेत आणि नाही नाहीत होता होती होते होत झाला झाली झाले व हा ही हे हया या त्या ते तो ती त्याने तिने त्यांनी त्यांच्या त्याच्या
        तिच्या मी तू तुम्ही आम्ही आपण माझ्या माझा माझी माझे तुझ्या तुमच्या आमच्या आपल्या पण किंवा मात्र म्हणून म्हणजे म्हणाला म्हणाली केला केली
        केले करून करण्यासाठी करण्यात करणे करत असून असे अशी असा असतो असते असतात आले आला आली येथे तेथे काय का कसे कोण कोठे कुठे जर तर
        साठी मध्ये वर खूप फार काही सर्व एका एक नये नका हवे पाहिजे शकतो शकते शकता होणार जाणार""",
    "ne": """छ छन् छैन छु छौं छौ थियो थिए हो होइन र यो त्यो यस त्यस यी ती म हामी तिमी तपाईं तपाईँ उनी उनले मेरो हाम्रो तिम्रो
        तपाईंको उनको यसको त्यसको यसलाई लाई ले मा को का की बाट पनि गर्न गर्ने गरेको गरेका गर्नुहोस् गर्छ गर्दछ गरिएको गरे गरी भयो भएको भएका
        भने भन्ने भनेर हुन्छ हुने हुन हुन् हुँदै जुन कुनै के किन कसरी कहाँ अनि तर वा लागि सबै आफ्नो आज एक एउटा नै अहिले सक्छ गएको आएको तथा एवं नयाँ""",
    "sa": """अस्ति सन्ति आसीत् आसन् भवति भवन्ति इति च एव अपि तु न वा तत् एतत् सः सा ते तस्य तस्याः तेषां अस्य एषः एषा यत् यः यदि तर्हि
        तदा यदा अत्र तत्र यत्र अहं अहम् त्वं मम तव भवान् भवतः सह कृते कृतम् कृत्वा गत्वा करोति गच्छति वदति अस्मिन् तस्मिन् सर्वे किम् कथं
        कुत्र नास्ति इदं इयं अयं अयम् एते हि खलु अतः ततः पुनः नाम स्म""",
    "gom": """आसा आसात आनी ह्या हें तें तो ती हो म्हण म्हणून हांव तूं तुमी आमी ताका ताणें ताचो ताची ताचें तांचे म्हजे म्हजो तुजो तुज्या ना नासा जाता
        जातात जालें जालो जाली जाल्यार केल्लें केलें केलो करून करपाक करूंक खातीर सावन उपरांत फकत पूण एक चड हांगा थंय कितें कशें खंय कोण
        जाय असो अशें आसलो आसली आसलें आसल्लें वा ते दिसा येता वता गेलो वेळार""",
    "bh": """के में से पर त आ बा बाड़े बाड़ी बाटे बानी बानीं बाड़न रहल रहे रहलन भइल भइलन गइल गइलन कइल कइले नइखे नइखीं खातिर रउआ रउआँ रउरा राउर हमार तोहार ओकर
        ओकरा एकर एकरा हमरा एगो कवनो कौनों होखे होला करे करीं जाला ऊ ई सगरी बाकिर काहे अइसन जइसन आपन
        अछि छी छै छथि छल छलाह छलीह अहाँ अहाँक कऽ भऽ सँ केँ नै नहि आओर आर जे से ओ हम एहि ओहि एकटा कोनो गेल भेल कएल देल लेल अपन सभ
        हुनक हुनकर ककर तँ जँ हेतु छियै केरौ केरऽ हमरौ गेलै लेली आरू छेकै हइ हथ हलइ ओकरा""",
}

LONGEST_ENDING = 8  # characters

DEVANAGARI_ENDINGS = {
    "hi": "ों ियों ेगा ेगी ेंगे ाएँ ाएं ाओं",
    "mr": "च्या साठी ांना ांनी ांचा ांची ांचे ण्यात ण्याची ण्यास ून तील वरून मध्ये ावे ळे ळा ळी",
    "ne": "हरू हरु लाई को ले बाट छन् छ एको दै र्ने",
    "sa": "म् स्य ः न्ति ानि ेषु ेन त्वा तुम् तुं ानां",
    "gom": "ांक ूंक ुंक पाक ल्लें ल्लो ल्ली ल्यान चेर तलें ाचें ांचें लां",
    "bh": "सँ केँ एल ओल ैत थि इल ावल ेला ीं",
}

BENGALI = {
    "bn": """এবং ও এই সেই তার তাঁর তারা আমি আমার আমরা আমাদের তুমি তোমার আপনি আপনার সে তাকে করে করা করার করতে করেন করেছে করেছেন
        করেছিল হয় হয়ে হয়েছে হয়েছিল হবে হতে ছিল ছিলেন আছে নেই না নয় একটি একটা এক থেকে জন্য সঙ্গে সাথে মধ্যে পর কিন্তু তবে যে যা যদি কি কী
        কেন কোন কোনো কিছু অনেক সব আর পারে যায় গিয়ে বলে বলেন দিয়ে নিয়ে এখন তখন এটি এর ওই""",
    "as": """আৰু এই সেই তাৰ তেওঁ তেওঁৰ তেওঁলোক মই মোৰ আমি আমাৰ তুমি তোমাৰ আপুনি আপোনাৰ সি তাই কৰে কৰা কৰি কৰিব কৰিছে কৰিছিল হয়
        হৈছে হৈছিল হ'ল হ’ল হোৱা আছিল আছে নাই নহয় এটা এখন এজন পৰা বাবে লগত লগে মাজত পিছত কিন্তু যে যি যদি কি কিয় কোন কোনো বহুত সকলো
        পাৰে যায় গৈ বুলি কয় দি লৈ এতিয়া তেতিয়া ইয়াৰ ইয়াত ক'ত কেৱল""",
    "mni": """অমসুং অসি অদু মসি মদু ঐ ঐগী ঐনা ঐখোয় নঙ নহাক মহাক মহাক্না মখোয় অমা অমদি লৈ লৈবা লৈরি লৈরে ওইনা ওই ওইরি ওইবা তৌবা তৌরি
        তৌরে হায়না হায়বা হায়বসি করিগুম্বা করি মতমদা মতম অসিদা অদুদা অসিগী অদুগী অদুনা মরমদি নত্তনা অয়াম্বা মীওই ঙসি ফবা চৎলি য়াম্না""",
    "bpy": """বারো এহান অহান এরে অতা লগে এহানর অহানর আসে আসিল ইসে ইলে ইল আহান আগ হে তানু মি মর তি তর যেগ তাঙর করিসে
        করানি অর অক নুৱা গজে বুলিয়া নাঙ মারি আরতা অয়া""",
}

ENGLISH = """the of and to in is that it was for on with as his he be at by i this had not are but from or have an they which one you
    were her all she there would their we him been has when who will more no if out so said what up its about into than them can only
    other new some could time these two may then do first any my now such like our over me even most made after also did many before
    must through your where much should well just because those each how too very while us here a get go it's don't use used using
    please click see find your yours am being does done every off again between both under still never always"""


_FUNCTION_WORDS = {"Devanagari": DEVANAGARI, "Bengali": BENGALI}
_ENDINGS = {"Devanagari": DEVANAGARI_ENDINGS, "Bengali": {}}


def languages_of_words(script: str) -> dict[str, tuple[str, ...]]:
    """Word -> the languages of `script` ("Devanagari" or "Bengali") that have it among their most frequent ones."""
    return inverted(_FUNCTION_WORDS[script])


def languages_of_endings(script: str) -> dict[str, tuple[str, ...]]:
    """Ending -> the languages of `script` in which many words end so."""
    return inverted(_ENDINGS[script])


def ending_of(word: str, endings: Mapping[str, object]) -> str | None:
    """The longest of `endings` (of at most `LONGEST_ENDING` characters) that `word` has behind at least two characters."""
    for start in range(max(2, len(word) - LONGEST_ENDING), len(word)):
        if word[start:] in endings:
            return word[start:]
    return None


def inverted(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Word -> languages, of a table language -> words between spaces. Words are in NFC, as documents are."""
    found: dict[str, list[str]] = {}
    for language, words in table.items():
        for word in dict.fromkeys(unicodedata.normalize("NFC", words).split()):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}
