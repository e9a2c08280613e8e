"""Documents written for the tests of the filters, with the verdict that a reader would give."""

from __future__ import annotations

HINDI = "सुबह की पहली किरण के साथ गाँव जाग उठता है और खेतों की ओर जाते किसानों के गीत हवा में घुलने लगते हैं।"
TAMIL = "காலையில் எழுந்தவுடன் பாட்டி வாசலில் கோலம் போடுவார், பிறகு அடுப்பில் காபி வைத்து எங்களை எழுப்புவார்."
BENGALI = "নদীর ধারে বসে জেলেরা জাল বোনে, আর ছোট ছেলেমেয়েরা কাদা মেখে মাছ ধরার চেষ্টা করে সারা বিকেল।"
ENGLISH = "The old clock in the hall had stopped years ago, but nobody in the house could bear to take it down."
MALAYALAM = "മഴ തോർന്നപ്പോൾ കുട്ടികൾ മുറ്റത്തിറങ്ങി കടലാസുവഞ്ചികൾ ഒഴുക്കിക്കളിച്ചു, അമ്മ അവരെ നോക്കി ചിരിച്ചു."

KEPT: dict[str, str] = {
    "prose, hi": HINDI + " दोपहर तक धूप तेज़ हो जाती है, तब सब लोग बरगद की छाँव में बैठकर दिन भर की बातें करते हैं।",
    "prose, ta": TAMIL + " பள்ளிக்குச் செல்லும் வழியில் நண்பர்களோடு பேசிக்கொண்டே நடப்பது எனக்கு மிகவும் பிடிக்கும்.",
    "prose, bn": BENGALI + " সন্ধ্যা নামলে সবাই ঘরে ফেরে, আর উঠোনে ঠাকুমা বসে রূপকথার গল্প শোনান নাতিনাতনিদের।",
    "prose, en": ENGLISH + " My aunt dusted it every Sunday and spoke to it as one speaks to a very old cat.",
    "prose, ml": MALAYALAM + " വൈകുന്നേരം അച്ഛൻ ചന്തയിൽനിന്ന് മടങ്ങിയെത്തുമ്പോൾ കൈയിൽ ഒരു പൊതി മിഠായി ഉണ്ടാകും.",
    "prose, te": "వర్షాకాలం మొదలవగానే పొలాలన్నీ పచ్చగా మారిపోతాయి. రైతులు ఎద్దులతో దుక్కి దున్ని విత్తనాలు చల్లుతారు, పిల్లలు చెరువు గట్టున ఆడుకుంటారు.",
    "prose, kn": "ಬೆಳಗಿನ ಜಾವ ಅಜ್ಜಿ ಮನೆಯ ಮುಂದೆ ರಂಗೋಲಿ ಹಾಕುತ್ತಿದ್ದಳು. ನಾವು ಮಕ್ಕಳು ಅವಳ ಸುತ್ತ ಕುಳಿತು ಹಳೆಯ ಕಥೆಗಳನ್ನು ಕೇಳುತ್ತಾ ಕಾಲ ಕಳೆಯುತ್ತಿದ್ದೆವು.",
    "prose, gu": "ગામના ચોકમાં એક જૂનો વડલો હતો. સાંજ પડે એટલે વડીલો ત્યાં ભેગા થઈને અલકમલકની વાતો કરતા અને અમે બાળકો સંતાકૂકડી રમતા હતા.",
    "prose, pa": "ਪਿੰਡ ਦੇ ਬਾਹਰ ਇੱਕ ਪੁਰਾਣਾ ਖੂਹ ਸੀ ਜਿੱਥੇ ਸਵੇਰੇ ਔਰਤਾਂ ਪਾਣੀ ਭਰਨ ਆਉਂਦੀਆਂ ਸਨ ਅਤੇ ਆਪਣੇ ਦੁੱਖ ਸੁੱਖ ਸਾਂਝੇ ਕਰਦੀਆਂ ਸਨ। ਹੁਣ ਉਹ ਸੁੱਕ ਗਿਆ ਹੈ।",
    "prose, or": "ଗାଁ ମୁଣ୍ଡରେ ଗୋଟିଏ ପୁରୁଣା ବରଗଛ ଥିଲା। ସେଠାରେ ସଞ୍ଜବେଳେ ବୁଢ଼ାମାନେ ବସି ଗପ କରନ୍ତି ଏବଂ ପିଲାମାନେ ଖେଳନ୍ତି, ଗାଈଗୋରୁ ଘରକୁ ଫେରନ୍ତି।",
    "prose, as": "নদীৰ পাৰত এখন সৰু গাঁও আছিল। গাঁৱৰ মানুহবোৰে পুৱাই উঠি পথাৰলৈ যায় আৰু গধূলি নামঘৰত একেলগে প্ৰাৰ্থনা কৰে, শিশুসকলে খেলে।",
    "prose, mr": "आजीच्या घरामागे आंब्याचे मोठे झाड होते. उन्हाळ्याच्या सुट्टीत आम्ही सगळी भावंडे त्यावर चढून कैऱ्या तोडायचो आणि मीठ लावून खायचो.",
    "poem without refrain, hi": "ऊँचे पर्वत, गहरी खाई,\nबीच में नदिया बलखाई।\nकल-कल करती गीत सुनाती,\nसागर से मिलने को जाती।\nपेड़ झुके हैं उसके तट पर,\nपंछी गाते मीठे स्वर पर।\nमाँझी अपनी नाव चलाता,\nघर की ओर चला वह आता।",
    "song with a refrain, hi": "चल रे साथी गाँव चलें।\nआम की डाली झूल रही है,\nसरसों पीली फूल रही है,\nनीम की ठंडी छाँव में बैठी अम्मा चरखा कात रही है,\nचल रे साथी गाँव चलें।\nपनघट पर बजती है पायल,\nकूक रही बागों में कोयल,\nबैलों की घंटी सुनते ही घर की ओर चला है हलधर,\nचल रे साथी गाँव चलें।\nसाँझ ढले चौपाल सजेगी,\nढोलक की थाप भी बजेगी,\nदादा फिर से आज सुनाएँगे राजा-रानी की कहानी।",
    "song with a refrain, bn": "ও আমার দেশের মাটি।\nতোমার কোলে জন্ম নিলাম,\nতোমার জলে তৃষ্ণা মেটালাম,\nসবুজ ঘাসের গালিচাতে প্রথম হাঁটা শিখেছিলাম।\nও আমার দেশের মাটি।\nভোরের বেলা পাখির ডাকে,\nনৌকা ভাসে নদীর বাঁকে,\nমাঝির গানে মন ভরে যায় শরৎকালের মেঘের ফাঁকে।\nও আমার দেশের মাটি।\nদূর বিদেশে থাকি যখন,\nতোমার কথা ভাবে এ মন,\nফিরব আবার একদিন ঠিকই, কথা দিলাম তোমায় এখন।",
    "nursery rhyme, en": "Rain on the roof and rain on the tree,\nRain on the river that runs to the sea,\nRain on my hat and rain on my shoe,\nWhere shall I go till the sky turns blue?\nUp in the attic or under the stair,\nPuss has her basket and I have my chair.",
    "couplets with one rhyme word, hi": "दिल की हर बात ज़ुबाँ पर लाना अच्छा नहीं,\nहर किसी को राज़ अपना बताना अच्छा नहीं।\nरात भर जागे रहे हम याद में उनकी मगर,\nसुबह होते ही उन्हें फिर बुलाना अच्छा नहीं।\nकाग़ज़ी फूलों से घर अपना सजाते हो मगर,\nबाग़ के सच्चे गुलों को भुलाना अच्छा नहीं।",
    "list of names, en": "Members of the committee: Anil Kumar Sharma, Sunita Rao, Mohammed Irfan Khan, Kavita Krishnan, Joseph Mathew, Harpreet Kaur Gill, Debashis Mukherjee, Lakshmi Subramaniam, Rakesh Yadav, Farida Begum.",
    "list of names, a line each, hi": "अनिल कुमार शर्मा\nसुनीता राव\nमोहम्मद इरफ़ान ख़ान\nकविता कृष्णन\nजोसेफ़ मैथ्यू\nहरप्रीत कौर गिल\nदेबाशीष मुखर्जी\nलक्ष्मी सुब्रमण्यम\nराकेश यादव\nफ़रीदा बेगम\nगीता देवी\nसंजय पाटिल",
    "names with one surname, hi": "श्री रामलाल शर्मा, श्री मोहन शर्मा, श्री गोविंद शर्मा और श्रीमती कमला देवी शर्मा ने समारोह में दीप जलाया। बाद में श्री अशोक शर्मा ने सबका धन्यवाद किया।",
    "recipe, hi": "आलू पराठा\nसामग्री:\n- दो कप गेहूँ का आटा\n- चार उबले आलू\n- एक हरी मिर्च, बारीक कटी\n- आधा छोटा चम्मच ज़ीरा\n- स्वाद के अनुसार नमक\nविधि:\nआटे में नमक और पानी डालकर नरम गूँथ लें।\nआलू को मसल लें और उसमें मिर्च, ज़ीरा और नमक मिलाएँ।\nलोई में भरावन भरकर बेलें और तवे पर घी लगाकर दोनों ओर से सुनहरा सेंकें।",
    "recipe, ta": "ரவா உப்புமா\nதேவையான பொருட்கள்:\n• ரவை ஒரு கப்\n• வெங்காயம் இரண்டு\n• பச்சை மிளகாய் மூன்று\n• கடுகு அரை தேக்கரண்டி\n• எண்ணெய் இரண்டு மேசைக்கரண்டி\nசெய்முறை:\nரவையை வாணலியில் பொன்னிறமாக வறுத்துக் கொள்ளவும்.\nஎண்ணெயில் கடுகு தாளித்து வெங்காயம், மிளகாய் சேர்த்து வதக்கவும்.\nதண்ணீர் கொதித்ததும் ரவையைத் தூவிக் கிளறி இறக்கவும்.",
    "recipe with numbers, en": "Heat 2 tablespoons of oil, add 1 teaspoon of cumin and 3 chopped onions. Fry for 5 minutes, add 250 grams of lentils and 750 ml of water, then simmer for 30 minutes. Serves 4.",
    "questions and answers, hi": "प्रश्न: भारत की राजधानी क्या है?\nउत्तर: नई दिल्ली।\nप्रश्न: सबसे लंबी नदी कौन-सी है?\nउत्तर: गंगा।\nप्रश्न: राष्ट्रीय पक्षी का नाम बताइए।\nउत्तर: मोर।\nप्रश्न: ताजमहल किस शहर में है?\nउत्तर: आगरा में, यमुना के किनारे।",
    "questions and answers, en": "Q: How do I reset my password?\nA: Open the settings and choose Reset.\nQ: Can I change my user name?\nA: Once a year, from the profile page.\nQ: Where are my invoices?\nA: We mail them on the first of the month.\nQ: Who can see my photos?\nA: Only the people you invite.",
    "dialogue of short words, hi": "\"कौन?\"\n\"मैं।\"\n\"मैं कौन?\"\n\"अरे, मैं, मोहन!\"\n\"इतनी रात को?\"\n\"हाँ, काम था।\"\n\"क्या काम?\"\n\"माँ की तबीयत ठीक नहीं है, डॉक्टर को बुलाना है।\"\n\"रुको, मैं अभी चलता हूँ तुम्हारे साथ।\"",
    "table of contents without dots, en": "Contents\nPreface 7\nChapter 1: The river and its people 11\nChapter 2: Salt, silk and silver 39\nChapter 3: A winter in the hills 64\nChapter 4: The long road south 98\nChapter 5: What the monsoon brought 131\nNotes 170\nIndex 182",
    "table of contents, bn": "সূচিপত্র\nভূমিকা ৫\nপ্রথম অধ্যায়: নদী ও মানুষ ৯\nদ্বিতীয় অধ্যায়: পাহাড়ের শীত ৩৪\nতৃতীয় অধ্যায়: দক্ষিণের পথ ৬১\nচতুর্থ অধ্যায়: বর্ষার দিনগুলি ৮৮\nপঞ্চম অধ্যায়: ফেরার গান ১২০\nপরিশিষ্ট ১৫৫",
    "chronicle with dates, en": "In 1498 Vasco da Gama reached Calicut. In 1526 Babur won at Panipat. In 1757 Clive won at Plassey. In 1857 the sepoys rose at Meerut. In 1947, on 15 August, India became independent; in 1950 it became a republic.",
    "law with articles that begin alike, en": "Everyone has the right to life, liberty and security of person.\nEveryone has the right to recognition everywhere as a person before the law.\nEveryone has the right to a nationality.\nEveryone has the right to own property alone as well as in association with others.\nEveryone has the right to freedom of opinion and expression.\nEveryone has the right to rest and leisure, including limits on working hours.",
    "address and telephone, en": "Write to the Secretary, Nehru Science Centre, 12 Lake Road, Worli, Mumbai 400018, or call 022 2493 2667 between ten and five. Visitors are welcome on all days but Monday.",
    "joiners and vowel signs are letters, ml": "ന്\u200d ര്\u200d ല്\u200d ള്\u200d " + MALAYALAM + " അവൻ്റെ വീട്ടിൽ ഇന്ന് വിരുന്നുകാർ ഉണ്ടായിരുന്നു.",
    "news with brand names, hi": "कंपनी ने Galaxy S24 और iPhone 15 की कीमतें घटा दी हैं। अब 5G फ़ोन ₹9,999 से शुरू होते हैं और 10% की छूट भी मिलेगी। बैंक कार्ड पर अलग से कैशबैक है।",
    "a few emoji, hi": "आज मेरी बेटी का जन्मदिन है 🎂 सुबह से घर में रौनक है। सब दोस्त आए, केक काटा और खूब नाचे 🎉 आप सब के प्यार और आशीर्वाद के लिए दिल से धन्यवाद ❤️",
    "four times one phrase in a paragraph, en": "I have a plan, he said. I have a plan for the house, for the garden and for the well; I have a plan for winter. Nobody laughed, since I have a plan was what his father used to say too.",
    "proverb said twice in a short text, hi": "दादी कहती थीं, जैसा बोओगे वैसा काटोगे। मैंने तब नहीं समझा। आज खेत देखकर समझ आया कि जैसा बोओगे वैसा काटोगे, यही सच है।",
    "a headline, then the same as first sentence, en": "River level rises after heavy rain\nRiver level rises after heavy rain in the hills, and officials have asked the people of nine villages to move their cattle to higher ground before nightfall on Friday.",
}  # fmt: skip

REPEATED: dict[str, str] = {
    "one line again and again, en": "\n".join(8 * ["Click here to read the full story."]),
    "one line under each entry, hi": "\n".join(line for name in ("राम", "श्याम", "गीता", "सीमा", "अनिल", "मोहन") for line in (f"{name} की कहानी", "पूरा पढ़ें", "साझा करें")),
    "the same paragraph three times, hi": "\n\n".join(3 * [HINDI]),
    "the same paragraph twice among others, bn": "\n\n".join([BENGALI, "বৃষ্টি এলে খেলা থামে।", BENGALI]),
    "the same sentence without lines, ta": " ".join(4 * [TAMIL]),
    "the same sentence without lines, ml": " ".join(3 * [MALAYALAM]),
    "half of the document is its own copy, en": f"{ENGLISH} It was raining. {ENGLISH} It was cold.",
    "stutter, hi": "जय हो " * 30,
    "laughter, en": "ha " * 60,
    "laughter as one word, hi": "हा" * 120,
    "key words, en": "cheap flights to Delhi cheap flights to Mumbai cheap flights to Goa cheap flights to Pune cheap flights to Chennai cheap flights to Kochi cheap flights to Jaipur",
    "key words, hi": "दिल्ली में सस्ते मकान, मुंबई में सस्ते मकान, पुणे में सस्ते मकान, जयपुर में सस्ते मकान, लखनऊ में सस्ते मकान, पटना में सस्ते मकान, कोटा में सस्ते मकान",
    "template with another name each time, bn": " ".join(f"{city} শহরের আজকের সোনার দাম কত জানতে এখানে ক্লিক করুন এবং আমাদের সঙ্গে থাকুন।" for city in ("কলকাতা", "ঢাকা", "শিলং", "পাটনা", "গৌহাটি")),
    "a mark again and again": "=" * 400,
}  # fmt: skip

SYMBOLS: dict[str, str] = {
    "tags, en": "#travel #india #sunset #beach #goa #food #fun #love #life #happy #photo #nature #smile #style #music #dance #art #sky #sea #sun",
    "table of contents with leaders, en": "Preface ............ 7\nThe river ............ 11\nSalt and silk ............ 39\nA winter ............ 64\nThe road ............ 98\nThe monsoon ............ 131\nNotes ............ 170",
    "prices, hi": "सोना 62,450 63,120 61,980\nचाँदी 74,300 75,010 73,900\nताँबा 712.40 718.25 709.10\nजस्ता 221.35 224.80 219.95\nनिकल 1,412.60 1,420.15 1,405.30\nसीसा 183.25 184.40 182.70",
    "telephone list, en": "Sharma 98100 12345, Rao 98200 54321, Khan 99300 67890, Gill 94170 24680, Das 98300 13579, Nair 94470 86420, Yadav 94150 97531, Bora 94350 11223",
    "menu of bullets, hi": "• मुखपृष्ठ\n• समाचार\n• खेल जगत\n• मनोरंजन\n• राशिफल आज का\n• व्यापार और शेयर बाज़ार\n• तकनीक\n• स्वास्थ्य और जीवनशैली\n• वीडियो\n• फ़ोटो गैलरी\n• संपर्क करें",
    "teasers, en": "The minister said on Monday that the new...\nScientists have found that people who sleep...\nThe match was stopped after the umpire...\nActors and singers came together to...\nA tiger was seen near the village of...\nWhy the price of onions will not...",
    "teasers, ta": "சென்னையில் நேற்று பெய்த மழையால்…\nபுதிய கல்விக் கொள்கை குறித்து…\nஇந்திய அணி அடுத்த போட்டியில்…\nதங்கம் விலை இன்று மீண்டும்…\nநடிகர் தனது அடுத்த படத்தில்…\nதேர்தல் ஆணையம் அறிவித்த…",
    "emoji, hi": "जन्मदिन 🎂🎂🎂🎂 मुबारक 🎉🎉🎉🎉 हो ❤️❤️❤️❤️ मेरे 🌹🌹🌹 दोस्त 🙏🙏🙏 खुश 😀😀😀 रहो 💐💐💐 सदा ✨✨✨ प्यार 💖💖💖 से 🥰🥰🥰",
    "markup, en": "{{cite|a=1|b=2}} [[File:x.png|thumb]] {{main|Salt}} ||- style={{s}} || [[Goa]] || {{n|4}} || [[Pune]] |- || {{x}} ||",
    "row of bars, bn": "প্রথম | দ্বিতীয় | তৃতীয় | চতুর্থ || এক | দুই | তিন | চার || লাল | নীল | সবুজ | সাদা || জল | মাটি | আগুন | বায়ু |",
    "a key, en": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0rlIzW7yWR7QkrmBL7jTKEn5u0AB",
}  # fmt: skip
