"""Very frequent words of the Indic languages as people write them in Latin letters, with their usual spellings.

The lists were written for Vaak. Words that are also English ("main", "to", "me", "is") are left out: `romanised` counts
these words against the English ones. Endings belong to words of five letters or more.
"""

from __future__ import annotations

WORDS = {
    "hi": """par hai hain hei hae h hoon hun hu tha thi thee thay ka ki ke ko ne se mein mei mai maine meine aur pe ye yeh wo woh vo voh
        ve yah yahi vah wahi jo jab tab agar lekin magar kyunki kyonki kyunke kyoki kya kyu kyun kyon kaun kaise kaisa kaisi kahan kaha kab
        kitna kitne kitni kuch kuchh koi kisi kis nahi nahin nhi nai mat na haan han ji hum hume humein hamen hame humne hamne humara hamara
        hamare hamari humari tum tumhe tumhen tumhein tumhara tumhari tumhare tumne tu tera teri tere mera meri mujhe mujhko muje aap
        aapka aapki aapke aapko aapne apna apni apne uska uski uske usko usne iska iski iske isko isne inka unka unki unke unko unhe
        unhone unhen unhein inhone sab sabhi bahut bohot bahot bhi bhee hi toh phir fir abhi ab aaj kal raat saal baad pehle pahle
        saath sath liye tak wala wali wale vala vali vale raha rahi rahe rha rhi rhe gaya gayi gaye gya gyi hua hui hue huye kar karo
        karna karne karta karti karte kiya kiye karke karega karenge karunga karungi kiska diya diye diya dena dene deta deti lena lene liya
        jana jaana jaane jata jaata jati jaati jate jaate jaa aana aane aata aati aate aaya aayi aaye aya hona hone hota hoti hote hoga hogi
        honge ho gaye chahiye chahie chaiye sakta sakte sakti accha acha achha achhi ache achche achchha theek thik thoda thodi zyada jyada
        bada badi bade chota chhota chhoti ek teen char logon logo baat ghar kaam kam paas pas andar bahar upar neeche niche
        wahan wahaan waha vahan yahan yahaan yaha jahan idhar udhar bhai behen maa pitaji dost naam nam pata pani paani khana khaana
        dekha dekho dekhna dekh bola bole bolo bolna kaha kahna kehna kehte kahte suno sunkar batao bataya samajh samay lag laga lagta
        lagti lage chal chalo milta mila milna bana bane banaya raat subah shaam sham duniya zindagi jindagi pyar pyaar dil
        dwara tatha evam yadi isliye islie warna bina sirf keval hamesha kabhi waise vaise aise aisa aisi jaise jaisa waqt vakt
        bilkul sakta hi wajah tarah desh bharat gaon shahar sadak kitab paise paisa rupaye kharid humlog uskaa unka donon dono""",
    "bn": """ami amar amake amader amra tumi tomar tomake tomader tomra apni aapni apnar apnake apnader apnara se tader tara ora
        oder uni unar tini taar ei ebong ebang aar ar o kintu karon karan jonno jonyo jonne theke thake thaka thakbe thakte diye niye
        kore kora korte koro korchi korchhi korche korchhe koren korben korbo korbe korechi korechhi korechhe koreche korlo korlam korar
        hoy hoye hoyeche hoyechhe hobe hobey holo chilo chhilo chilam chhilam ache achhe achen achi achhi achho nei noy nai na keno kano ki
        kothay kothai kobe kemon kamon kichu kichhu onek anek khub bhalo valo sundor jodi jokhon jakhon tokhon takhon ekhon akhon ekhane
        okhane sekhane ek ekta ekti ekjon duto duti ekdin aaj aj ajke aajke kal kalke gotokal agamikal raat rat sokal sokale bikel
        bikele sondhya shondhya ratre bari barite bondhu bondhura manush lok lokera boi jol khabar bhat mach baba maa ma bhai bon dada didi chele
        meye bolo bole bolte bolche bolchhe bollo bollen bolechhen bolechilo jabo jabe jacche jacchi jachchhi jachhi jachhe jachche jete
        jay jai gelo gechhe geche giyechhe giyechhilo giyechilo gelam esho eso eseche esechhe esechhilo asche aschhe asbe ashbe ashe aste
        pore pare pari parbo parbe parbona parchhi parchi parchhe porte porche porchhe dekhe dekhte dekhi dekhlam dekha dekho dekhchi
        khete khacche khachchhe khabo kheye khelchhe khelche khela jani janina janen bujhte chai chay chaichhi chaile dorkar shathe
        sathe songe shonge moddhe modhye upor niche kache kachhe pase pashe jonnei sob shob sobai shobai shobar sobar nijer amio tumio
        keu kono konodin kokhono ebar abar aage pore por porei tarpor tahole tai jemon jeta seta eta ota egulo ogulo eto oto
        kotha kothagulo katha shohor shohore gram grame desh deshe bangla bangladesh kolkata kolkatay prothom shesh shudhu matro beshi
        kom boro choto chhoto notun purono bochor bochhor mash somoy shomoy taka lagbe lage lagche lagchhe bhalobasi bhalobashi mone bosey
        dilo dilen dilam nilo nilen rakhte rakhlo hocche hochhe hochchhe hote hoyni dhonnobad dhanyabad ashole aslei moton moto""",
    "ta": """naan nan naangal nangal naanga nanga nee neengal neenga ninga avan aval avar avargal avanga avanga adhu athu idhu ithu
        enna ena yenna en enakku enaku unakku unaku ungal ungalukku ungalai unga namma namakku nam engal enga engalukku avanukku avalukku
        avarukku avargalukku avanai avalai avarai adhai idhai yaar yar evan eppadi epadi yeppadi eppo eppodhu eppoludhu ippo ippodhu ippoludhu
        appo appodhu appoludhu enge engay ange angay inge ingay anga inga edhu endha entha indha intha andha antha oru orey rendu irandu
        moondru naalu aindhu illai illa ilai illaya ille illamal illaadha irukku iruku irukkiradhu irukkirathu irukiradhu irundhadhu
        irundhathu irundhu irunthu irunthathu irukkum irukkanum irukkirar irukkiran irukken irukkiren irukkinga irukeenga irukinga
        irukkirargal aanal aanaal anal aana aagum aagumaa aaga aagiya aanadhu mattrum matrum mattum kooda koodathu koodaadhu vendum vendam
        venum vendaam venam vena mudiyum mudiyathu mudiyadhu mudiyaadhu mudinthathu seiya seyya seithu seidhu seithan seidhan seigiren seikiren
        panna pannu panni pannitten pannunga pannanum panninen pannuren panren solla sollu sonnan sonnaan sonnar sonnaar sonnaal sonnal sonna
        sollunga solli solgiren solran poi poga pogum ponga pogalam polam pogiren pogiraan pogirargal porom poren ponaan ponen ponar
        ponom poitu vaa vandhu vanthu vandhan vanthan vanthaan vandhaan vandhar vanthar vanthargal vandhal vanthal vandhen vanthen varum
        varuvan varuvaan varuvaar varuvar varuvaanga varugiren varugiraan varukiren varugiradhu varen vara varala vaanga vanga vaangi
        vaangina vaanginen vaanginaan ellam ellaam ellorum ellaarum ellarum ellaa ella romba rombha miga migavum nalla nallaa nandri
        nandraga naalai naalaikku nalaikku innaikku inniku indru inru netru nettru neram neratthil veedu veettil veettukku veetil veetuku
        veetla oor ooril ooru amma appa anna akka thambi thangai nanban nanbargal kuzhandhai kuzhanthai kuzhandhaigal pillai magan magal
        padi padikka padikkiren padithen padikiraan saappadu saapadu sapadu saptiya saapteengala saptingala thanneer thanni tamil thamizh
        tamizh tamizhil tamilil vaazhkai vazhkai uyir kadhal kaadhal manasu manam kaalai kaalaiyil maalai iravu naal naatkal varudam aandu
        maadham pala sila oruvar oruvan oruthi peyar pesa pesu pesinaan pesuvom paarkka parka paakka paaru paarthen parthen
        paarthaan parthan paartha pathi patri pattri mudhal muthal varai varaikkum kku endru endra enru enra enbathu enbadhu endraal ena
        thaan thaane dhan dhaan kondu konden kondaan seri sari theriyum theriyathu theriyadhu theriyaadhu theriyala theriyuma pudhu
        puthiya pudhiya periya chinna siriya azhagu azhagana azhagaana ippadi appadi ipdi apdi anaivarum anaithu edhuvum edho yedho podhu
        pothu podhum pothum pinbu piragu munbu mun pin mel meethu keezhe ulle veliye pakkam arugil idam idathil kadai kadaikku kadaiyil
        palli pallikku velai velaikku panam malai mazhai""",
    "te": """nenu nenoo neenu naaku naku na naa nannu neeku neku nee nuvvu nuvu meeru miru mee meeku miku memu manam mana maa maaku vaadu
        vadu aame ame atanu athanu vaaru varu vaallu vallu adi idi edi emi enti yenti emiti yemiti enduku yenduku ela yela ekkada yekkada
        akkada ikkada eppudu yeppudu appudu ippudu evaru yevaru enta entha anta antha inta oka okati rendu moodu naalugu ledu ledhu leru
        lenu unnadi undi undhi unnaru unnaru unnayi unnanu unna undali untundi untaru unde chala chaala baaga baga manchi kavali kaavali
        kaadu kadu kani kaani mariyu leda leka ante antey ani kuda kooda cheyali cheyandi chesi chesanu chesaru chesindi chestunna
        chestunnanu chestunnaru chestaru chesthunnaru vachindi vacharu vachanu vachhi vachi vastundi vasthundi vastaru vellali vellanu
        velli vellaru velthunnanu veltunnaru velladu cheppu cheppandi cheppanu cheppadu cheppindi choodandi chudandi chusanu chusi
        telusu teliyadu telugu lo lone nunchi nundi kosam valla tho paina kinda lopala bayata intiki illu inti pillalu pilla abbayi ammayi
        amma nanna anna akka ayya garu gaaru peru pani roju rojulu ee aa repu ninna ivala eeroju udayam sayantram raatri neellu annam
        dabbu babu kadha kada kadaa emaindi avunu ayindi ayyindi ayindi avutundi avuthundi taruvata tarvata mundu venuka daggara""",
    "mr": """aahe ahe aahet ahet aani ani nahi naahi hota hoti hote hotya jhala zhala zala jhali zali jhale zale mi mee tu tumhi amhi aamhi
        aapan apan tee te tyane tyani tyanni tyancha tyanchya tyacha tyachi tyala tila majha maza majhi mazi majhe maze majhya mazya
        tujha tuza tujhi tuzi tujhya tuzya tumcha tumchi tumchya tumhala amcha aamcha amchya mala tula kay kaay kasa kashi kase kon kuthe
        kadhi kiti ka kinva kimva mhanun mhanje mhanala mhanali sangitle sangitla kela keli kele karun karat karto karte karaycha
        karayche karayla aahes ahes asto aste astat asel asnar sathi saathi madhe madhye madhun var khup khoop phar kahi kaahi
        sarv sagle sagla ek don teen nako nakos hava havi pahije shakto shakte shakat honar janar jaat jato jate gela geli gele ala
        ali ale aala aali aale yeto yete yenar ghari ghar aai baba dada tai mulga mulgi lok divas ratri sakali udya kal aaj atta
        nantar adhi aadhi barobar chan chhan bara baraa baghun bagha bagh bolto bolat bolla marathi ithe tithe jithe""",
    "gu": """chhe che chhu chu hu hun hato hati hata ane nathi nahi maru mari mara mane tame tamaru tamari tamara tamne tane taru tari ame
        amaru amari amara amne apne apnu aapnu aapde te teo temne temnu teni tena ema eno eni ena aa shu su kem kyare kyan kya koni kon ketla
        ketlu pachi pachhi pahela karvu karva kare karo kari karyu karyo karish karishu karta thay thayu thai thashe thayo gayo gayi gaya
        gayu javu java jau jaish jaay avyo avi avya aavyo aavi aavya aave avshe mate maate sathe saathe thi upar ma maa ni na nu ek
        tran ghana ghanu bahu saru saras sari badha badhu badhi loko ghar ghare kaam divas raat aaje kale haji kai kain kashu tyare
        tyan ahiya ahi ahin jyare jyan joie joiye chokro chokri bhai ben mota motabhai gujarati vaat hoy hova hoye rahyo rahi rahya""",
    "kn": """naanu nanu nanna nanage nange nannannu neenu ninu ninna ninage ninge neevu nimma nimage nimge avanu avalu avaru avara avanige
        avarige ivanu ivalu ivaru naavu navu namma namage adu idu yaavudu yavudu yenu enu yaake yake hege hegidira yelli elli alli illi
        yaavaga yavaga aaga eega iga yaaru yaru eshtu yeshtu ondu eradu mooru naalku illa alla ide idhe idde iddare iddaare iddaru iddenu
        ittu iruttade irutte beku beda bekagide matte mattu aadare adare aadre adre athava anta endu tumba thumba channagide chennagide
        chennagi olleya olle maadi madi maadu madu maadide madide maadiddare maadidaru maaduttare maaduttene maadtini maadthini madthini
        maadalu hogi hogu hogona hoguttene hogtini hogidda hodaru hodanu banni baa bandu bandaru bandanu bandide baruttare baruttane
        heli helu helidaru helidanu gottu gottilla nodi nodu nodidaru nodona kannada kannadada alla mane manege maneyalli makkalu huduga
        hudugi amma appa akka anna hesaru kelasa dina ivattu naale ninne belagge raatri neeru oota dayavittu jote jothe mele kelage olage
        horage munche nantara aadhare saaku yella ella ellaru yellaru swalpa jaasti kammi""",
    "ml": """njan njaan ente enikku enikk enne ninte nee ningal ningalude ningalkku avan aval avar avarude avante avalude njangal njangalude
        nammal nammude nammal ithu athu ethu entha enthanu enthaanu enthinu enthu evide ividey ivide avide eppol eppozha eppo ippol ippo
        appol appo engane ingane angane aaru aaranu ethra oru onnu randu moonnu naalu illa alla aanu anu aano ano undu undo undaayirunnu
        undayirunnu aayirunnu ayirunnu aayi ayi aakum aayirikkum venam vendi venda pakshe pakshey allenkil enkil ennal ennaal koode
        koodi valare nalla nannayi cheyyan cheythu cheyyunnu cheyyum cheyyanam cheyyuka pokunnu poyi pokum pokan pokanam vannu varunnu
        varum varan vararuth paranju parayunnu parayum parayan kandu kaanunnu kaanum kaanan ariyam ariyaam ariyilla malayalam malayalathil
        veedu veettil veettilekku kutty kutti kuttikal amma achan chettan chechi peru joli divasam innu naale innale ravile raavile
        vaikunneram raathri vellam choru ellaam ellam ellavarum ellarum kurachu kooduthal mathram maathram munpu shesham pinne pinneyum
        ninnu vare mukalil thazhe akathu purathu aduthu kazhinju kazhicho sukham sukhamano mone mole aayittu ennu enna ennanu""",
    "pa": """hai han haan mainu mainnu mera meri tu tun tenu tainu tera teri tere tusi tusin tuhanu tuhada tuhadi tuhade assi
        asi asin sanu saanu sada saada sadi saadi sade saade ohna ohnu ohda ohdi ohde eh ehna ehnu ehda ehdi ehde da di nu ne
        ton vich vicho vichon wich te tey naal nal lai layi nahi nahin nai ki kiven kiwen kithe kitthe kithon kadon kinna kinne kinni kaun kyon
        kihda si san san sige sigi sigga hoya hoyi hoye hunda hundi hunde hovega hovegi howe karda kardi karde karna karan kita kitta kiti
        kitti kite gaya gayi gaye gya janda jandi jande jana aunda aundi aunde aaya aayi aaye aayian raha rahi rahe reha rehi rehe rahian
        chahida chahidi chahide sakda sakdi sakde ik tinn bahut bahot changa changi vadda waddi vaddi vadde chhota nikka sara
        saara saare sare sab kujh kuj koi hun hune ajj kal kall baad pehlan pehla ghar ghare munda kudi kuri munde bache puttar veer
        veerji bhra bhain paji ji sri akal gall galan dass dasso vekh vekho punjabi punjab pind pani roti lokan lok dhian""",
    "or": """mu mun mora mo mote mate tume tumara tuma tumaku apana apananka apananku aapana se sei tara taku tanka tanku semane semananka eha
        ei ehi eka ta ama amara ame aame amaku kana kahinki kemiti kipari keun keunthi kouthi kouti kebe kete kie kiye kintu o ebam
        ebang au aau nahin nahi nuhen nuhe nai achhi achhanti achhu achha thila thile thili thilu heba hela hele heuchi heuchhi hoichi hoichhi
        hue kari kare karanti karuchi karuchhi karuchhanti karichi karichhi karibe kariba karibaku kariba paain pai jauchi jauchhi
        jibi jiba jibe gala gali asila asile asichi asuchi asuchhi asiba asibe kahila kahile kahuchi kahilu dekha dekhila
        dekhile dekhiba bhala khub bahut sabu samaste ghara gharaku gharare bapa maa bhai bhauni pua jhia pila pilamane loka lokamane dina
        rati aji kali sakala sakalu sandhya pani bhata kama nama odia odisha odishara bhitare upare tale pakhare saha sahita tharu paryanta
        jadi tebe jebe ethi ethare sethi sethare pare purbaru""",
    "as": """moi mor mok ami amar amak tumi tumar tomar tomak apuni aponar aponak teo teu tai tek teok xi si hi eitu eito xeitu heitu seitu iyat
        iyar ata eta ekhon ejon duta dujon aru aaru kintu karone karon babe kiyo kio kot kenekoi keneke kenekua ketia kimman koi kone ase
        asil asilu asilo asu asa aso nai nohoi nohobo hobo hol hoise hoisil hoi hoy kora kore koribo koribole koriso korisu korise korisil
        korilu korile jabo jabole jam jau jai goisil goise goisu golu ahibo ahise ahisil ahilu ahe aahe koise kole kolu kobo dekhisu
        dekhise dekhilu bhal bhaal val bohut khub xokolu sokolu hokolu xob ghor ghorot ghoroloi manuh manuhe lora suwali soli ma deuta
        dada baideu bondhu rati aji kali kailoi puwa gadhuli pani bhat kaam naam oxomiya asomiya axomiya assamese oxom asomot pora logot
        logote majot upor upot talot pasot pisot jodi jetia tetia etiya etia lage lagibo lagise pare parim paru nuaru nuware""",
}


# Endings that mark words of one language; at least two letters must stand before them.
ENDINGS = {
    "ta": "kkum kku giren kiren giraan kiraan giradhu kiradhu kirathu rgal kkal ndhaan nthaan ndhan nthan ttadhu galai inaan inaar "
    "inaal vathu vadhu aamal ththu tthu ththil tthil kaaga ukkaga vaanga unga nga anum thaan ukku",
    "te": "unnanu unnaru unnadu tundi thundi staru sthanu stunna sthunna indi ncharu nchanu aaru",
    "kn": "ttene ttare ttane ttade ttaane ttaare ttiddare ttidde annu alli inda galu gala galannu iddu",
    "ml": "unnu unna ikkum ikkunnu aanu nnu nte kalude kalil illathe ilekku athinu",
    "bn": "chhen chhe chhi chhilo chhilam echhe echhilo cchi cche iyeche iyechhe gulo",
    "hi": "unga ungi oonga oongi iyon",
    "mr": "tyat nyat chya sathi madhe nche",
    "gu": "ishu vanu vani",
}

# Spellings that English words hardly have: long vowels and aspirates. "dharma", "ghost" and "khaki" are why they count half.
LETTERS = r"aa|uu|bh|jh|chh|kk|vv|zh|[dgk]h[aeiou]"
